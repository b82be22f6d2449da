"""Do all kinds of networks work through the product? Provider networks, overlays, IPv6, and guests that move."""
