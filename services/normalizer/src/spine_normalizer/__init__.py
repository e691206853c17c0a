"""The normalizer: turns a capture's raw lines into valid rows and rejects."""
