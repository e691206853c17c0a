"""The dead-letter service: stores poison messages and decides on retries."""
