"""The only code that touches a switch: OVSDB rows and OpenFlow messages on every host."""
