"""What moved a forecast: which observations, of which roads."""
