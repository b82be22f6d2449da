"""Who realises networks? The contract of a plug-in, those that ship with Weft, and the choice between them."""
