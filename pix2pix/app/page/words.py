"""What the page says to visitors when something is odd: no codes, and what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from pix2pix.colorize import incolor
from pix2pix.colorize.workers import Busy
from pix2pix.errors import PhotoError

MESSAGES = {
    "unreadable": "This file could not be opened: it is empty, or no longer here. Try it again.",
    "truncated": "This photo is incomplete: its file ends too early. Try to get it again.",
    "corrupt": "This photo is damaged and cannot be opened.",
    "unsupported_format": "This file is not a photo that can be opened here. Try JPEG or PNG.",
    "unsupported_mode": "This photo is stored in an unusual way. Save it as PNG and try again.",
    "invalid_pixels": "This photo's file has faulty values. Save it as PNG and try again.",
    "too_large": "This photo is too large. Make it smaller and try again.",
    "timeout": "This photo took too long. Make it smaller and try again.",
    "permission": "The colored photo could not be saved.",
    "hint": "This color could not be put there. Undo it and try another place.",
    "reference": "This photo has no color to take. Choose one in color.",
    "no_space": "There is no room left to save the colored photo.",
}
"""By the code of the PhotoError."""

BUSY = "Many people are here right now. Try again in a moment."
UNKNOWN = "This photo could not be colored."
TITLES = {
    MESSAGES["unsupported_format"]: "Not a photo",
    BUSY: "One moment",
}
"""Headings by message; that of the others is "Sorry". The page's script puts them there: Gradio
writes its own word for the kind of message, whatever title it is given (6.31)."""

NOTICES: dict[incolor.Kind, str] = {
    "gray": "",
    "toned": "This print has a tint, as old ones do. Its plain gray is shown beside the colors.",
    "color": "This photo has color already. Here its colors are left out and guessed anew.",
    "negative": "This looks like a negative. Turn it into a positive first, then try again.",
}
"""What a visitor should know of a photo, by its kind."""


def message(error: Exception) -> str:
    """The message for an error."""
    if isinstance(error, Busy):
        return BUSY
    return MESSAGES.get(error.code, UNKNOWN) if isinstance(error, PhotoError) else UNKNOWN


def sorry(text: str) -> gr.Error:
    """A message on the page, to be raised; its heading, which blames nobody, is in TITLES."""
    return gr.Error(text, title=TITLES.get(text, "Sorry"), print_exception=False)


@contextmanager
def plain_words() -> Iterator[None]:
    """Within, PhotoError and Busy become messages on the page."""
    try:
        yield
    except (PhotoError, Busy) as error:
        raise sorry(message(error)) from error
