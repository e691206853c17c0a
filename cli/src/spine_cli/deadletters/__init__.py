"""Dead letters at the command line: which are meant, what they say, what is decided of them."""
