"""The `ancestry-obs` command."""
