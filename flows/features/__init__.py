"""Which flows does each feature want? One module a feature; each takes one unit's intent and yields its part."""
