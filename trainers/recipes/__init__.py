"""A run from one file: reading it, and carrying it out."""
