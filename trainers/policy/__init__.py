"""The model that is trained: loading, sampling, and batches of its tokens."""
