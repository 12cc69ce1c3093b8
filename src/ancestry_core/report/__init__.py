"""What a run shows: progress while it works, and what it did at the end."""
