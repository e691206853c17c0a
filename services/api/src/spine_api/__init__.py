"""The API: submits commands, answers queries."""
