"""What the platform does: actions 6 to 9, each a walk over items that end in a summary."""
