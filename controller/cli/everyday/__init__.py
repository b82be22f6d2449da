"""What can everybody do every day? ``weft network|subnet|port|... create|list|show|set|delete``, made of one map."""
