"""How work is ordered, run and recorded; knows ports, not infrastructure."""
