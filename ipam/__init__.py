"""Which address does a port get? Address arithmetic and allocation, without a database of its own."""
