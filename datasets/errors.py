"""The one exception for data that cannot be used."""


class DataError(ValueError):
    """A file, folder or option of the user's that cannot be used; one line says what, where and what to do."""
