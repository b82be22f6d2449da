"""The REST API: HTTP in, services out."""
