"""Why the demo cannot go on: DemoError > NoTextError, ServerError, SecondProcessError."""


class DemoError(Exception):
    """Its words are shown to the user as they are."""


class NoTextError(DemoError):
    """The corpus holds too little text to run on."""


class ServerError(DemoError):
    """redis-server was found but did not come up."""


class SecondProcessError(DemoError):
    """The second process ended without a result."""
