"""The seeded SUMO simulation behind the sample city."""
