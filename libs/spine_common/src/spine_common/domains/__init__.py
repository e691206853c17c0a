"""What the data means: one folder a domain, declarations and pure functions over frames."""
