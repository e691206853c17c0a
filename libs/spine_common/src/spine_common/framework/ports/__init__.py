"""What the framework asks of the world; the adapters answer."""
