"""Which use cases does Weft have? Functions over a transaction and a caller; no HTTP, no switch."""
