"""The aggregator: runs the calculations over a normalized capture."""
