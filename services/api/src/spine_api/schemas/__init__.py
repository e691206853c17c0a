"""What goes in and comes out as JSON: the models of each noun's requests and answers."""
