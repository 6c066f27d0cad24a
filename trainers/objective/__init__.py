"""What a step optimises: presets, advantages, losses and penalties; pure functions, no loop."""
