"""Answers to the framework's ports, named by the technology they use."""
