"""What tests, demos and benchmarks stand on: a pytest plugin, private servers, synthetic data."""
