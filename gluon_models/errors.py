"""The one exception of this package."""


class ModelError(ValueError):
    """A model, its arguments or its weights are not as they should be; the message is one line."""
