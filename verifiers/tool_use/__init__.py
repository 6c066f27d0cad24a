"""Tool calls: reading them, holding them to a reference and its tools, and the state that they leave."""
