"""What would a change do? Pure work over the intent before and after it; nothing here writes."""
