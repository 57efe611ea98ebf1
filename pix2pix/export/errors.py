"""The one error of exports: a line that a person reads."""


class ExportError(ValueError):
    """Something could not be exported; the message says why and what to do."""
