"""Which resources does the API have? One module declares each."""
