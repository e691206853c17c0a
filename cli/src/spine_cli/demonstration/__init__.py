"""The demo: made-up weeks through the whole job, and what can be seen of it afterwards."""
