"""What becomes of a packet that a port sends, host by host, and why?"""
