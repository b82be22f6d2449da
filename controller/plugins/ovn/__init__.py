"""Who realises networks by an OVN cluster? The plug-in ``ovn``."""
