"""The spine command: composes all services in one process, or talks to the API."""
