"""Forecasts of a trained bundle for the newest slices."""
