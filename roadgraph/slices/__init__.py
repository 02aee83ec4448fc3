"""Traversals into one row per segment and time slice: the five measured features."""
