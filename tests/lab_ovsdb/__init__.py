"""OVSDB against real ovsdb-server and ovs-vswitchd processes."""
