"""How are the databases of an OVN cluster followed and written? What is to be written is not said here."""
