"""Does this machine's Open vSwitch do what Weft asks of one? Tried with real packets, on a bridge of its own.

The laboratory of the tests has the userspace datapath only; what a host's kernel does is seen on that host::

    scene    two guests and what is asked of their bridge; pure
    rig      a bridge, two namespaces with a cable each, and their removal
    trial    the controller's own code loads the bridge, the guests send; what arrives is held against what should
"""
