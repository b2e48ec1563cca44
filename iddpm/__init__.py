"""The mathematics and the network of Improved DDPM; knows nothing of sweeps."""
