"""What FINRA publishes: a folder for each of its publications we read."""
