"""The map page: forecasts, roads and slices into one HTML file."""
