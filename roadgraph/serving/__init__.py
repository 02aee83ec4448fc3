"""Trained models in the form in which MLflow serves them."""
