"""The ingestor: turns a publication into an immutable capture."""
