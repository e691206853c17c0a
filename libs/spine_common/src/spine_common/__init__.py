"""Market Spine's shared library: every floor below the services."""
