"""The schema's history: one set of revisions for both databases."""
