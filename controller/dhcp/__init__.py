"""How does a guest get its IPv4 configuration? DHCPv4 answers made from bytes alone.

Nothing here knows OpenFlow, a database or a socket: a frame comes in, a frame or a reason goes out.
"""
