"""Which flows realise an intent? Pure functions from intent to OpenFlow state."""
