"""Road maps into the tables ``segments`` and ``links``."""
