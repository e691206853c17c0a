"""What can be seen from outside while it runs: logs, metrics, health."""
