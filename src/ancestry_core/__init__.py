"""A small automation platform for a DNA-genealogy account; it knows nothing of metrics."""
