"""The scorecard: how right the forecasts of a day were, as a page, a table and pictures."""
