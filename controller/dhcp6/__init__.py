"""How does a guest get its IPv6 configuration? Router advertisements and DHCPv6 answers made from bytes alone.

Nothing here knows OpenFlow, a database or a socket: a frame comes in, a frame or a reason goes out.
"""
