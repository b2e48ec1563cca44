"""Where tasks run: here, in a pool of processes, on a cluster."""
