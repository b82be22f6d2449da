"""Unit tests of the OVSDB side."""
