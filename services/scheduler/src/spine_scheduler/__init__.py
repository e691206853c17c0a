"""The scheduler: emits partition commands when they are due."""
