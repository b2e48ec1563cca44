"""The only meeting point: one folder per task, read and written whole."""
