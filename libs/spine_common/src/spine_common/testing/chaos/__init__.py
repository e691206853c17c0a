"""Real services on servers that break: faults, the invariants they must not hurt, the figures."""
