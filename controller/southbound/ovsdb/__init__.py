"""What is on a host's Open vSwitch database, and what should be? Reading (RFC 7047 monitor) and declarative writing."""
