"""Who may do what? One table of rules, and what decides by it."""
