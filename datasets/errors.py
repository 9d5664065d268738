"""The one exception for data that cannot be used."""


class DataError(ValueError):
    """A file, folder or option of the user's that cannot be used; one line says what, where and what to do."""


def one_line(error: BaseException) -> str:
    """What ``error`` says, in a single line; where it says nothing, its kind."""
    return " ".join(str(error).split()) or type(error).__name__
