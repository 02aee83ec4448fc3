"""Champion and challenger on the same newest days: which of them forecasts are made with."""
