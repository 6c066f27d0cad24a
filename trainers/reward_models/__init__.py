"""Models that score: training outcome, process and preference models, and measuring them."""
