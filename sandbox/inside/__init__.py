"""What runs inside the sandbox: the fork server and what its children do, on the standard library alone."""
