"""What one job is: its kind, its config, what it needs, its address."""
