"""Measures of a trained network: likelihood, features, Fréchet distance, precision and recall."""
