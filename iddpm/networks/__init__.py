"""The networks: their layers, averages, precision and size."""
