"""Chores that look for what should have gone on by itself and has not; one file each."""
