"""What can be typed: a file for each noun, each a thin reader of options."""
