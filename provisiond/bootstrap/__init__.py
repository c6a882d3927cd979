"""The first contact of a device: the claim of its bootstrap file."""
