"""How does intent become switch state? Change feed, model, units, deltas, status."""
