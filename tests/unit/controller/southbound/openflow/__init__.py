"""Does Weft speak OpenFlow as it should? No switch is needed here but a socket."""
