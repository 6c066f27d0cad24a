"""Pages and sentences about what was scored, for people to read."""
