"""What stands in for real things in tests? Each fake is held against the real thing by `tests/contract`."""
