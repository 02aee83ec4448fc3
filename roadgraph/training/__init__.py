"""Training of the models, and the bundle that comes out of it."""
