"""What do projects consume? Counters of switches made into totals that only grow, and samples over time."""
