"""The published language: messages as they travel, and the names of the roads they take."""
