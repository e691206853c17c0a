"""Sources of publications: one answer per place that new bytes come from."""
