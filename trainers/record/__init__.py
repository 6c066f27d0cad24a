"""What is kept of a run: its folder, its figures, and the alarms on them."""
