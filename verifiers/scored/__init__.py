"""What is made of scored completions: rates by problem, pairs and samples to train on, what changed."""
