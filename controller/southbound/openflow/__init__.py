"""How does Weft speak OpenFlow 1.4 to its switches?

    flows.flow values --encode--> bytes --sync--> what differs --session--> bundles over one connection
                                                                     ^
    one worker a switch (switch), living across connections (connection), which the service accepts (service)

os-ken knows the wire format and negotiates the version; sockets, queues and threads are Weft's own.
"""
