"""What is in a store, for the tools that show runs: after the fact, never in a loop."""
