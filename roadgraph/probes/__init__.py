"""GPS fixes into traversals: reading, cleaning and map matching."""
