"""Composition: settings become a platform, a stage becomes a service; nothing is decided here."""
