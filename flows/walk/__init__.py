"""What would a switch do with this packet? A walk through compiled tables, without a switch."""
