"""The one exception for a user's mistake on the command line or in a YAML file."""


class UserError(ValueError):
    """What is wrong, where, and what to do, in one line; shown without a traceback."""
