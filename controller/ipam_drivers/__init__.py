"""Which services outside Weft give out addresses, and how are they asked?"""
