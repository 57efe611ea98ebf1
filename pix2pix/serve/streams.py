"""Streams: answers that go on for as long as the client listens, and how they break off."""

from starlette.exceptions import HTTPException

_FAULT = 500  # and above: ours


def came_too_late(error: BaseException | None) -> bool:
    """Whether a failure is a refusal that was raised when the answer had begun.

    Gradio does so for the queue of a visitor who is gone: it has told the stream already.
    """
    while error is not None and not isinstance(error, HTTPException):
        error = error.__cause__
    return isinstance(error, HTTPException) and error.status_code < _FAULT
