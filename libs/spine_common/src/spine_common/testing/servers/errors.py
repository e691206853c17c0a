"""What can go wrong between asking for a test server and getting one."""


class ServerUnavailable(Exception):
    """No server of that kind can be had here; the message says how to get one."""


class NotHere(Exception):
    """One way of getting a server is not open on this machine; the message is the reason."""


class NotOurs(Exception):
    """A server that was given by its URL can't be stopped, killed or started by a test."""
