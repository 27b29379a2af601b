"""A network's description, its state, and both in files."""
