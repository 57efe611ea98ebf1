"""Limits: the bounds of the service and of its page, in one place.

(Hints: `hints.MOST_HINTS`; workers: `workers.MOST_WORKERS`.)"""

from dataclasses import dataclass

# --- requests and connections ---------------------------------------------------------------------
HEADER_BYTES = 16_384  # of a request's head; h11 counts only while it waits for more
CLOCK_TICK = 0.5  # [s] between two looks at a connection
LINGER_BYTES = 256 * 1024  # still read of what is refused, so that a client comes to read why
LINGER_SECONDS = 1.0  # for that, of a body beyond the limit
REFUSED_AT_ONCE = 4  # requests that the page's door refuses without a pause; more come from who
REFUSAL_PAUSE = 1.0  # [s] tries them all, and wait about that long each, not to delay others

# --- parameters, forms and calls ------------------------------------------------------------------
MOST_SATURATION = 4  # times the predicted chroma
FORM_AROUND_BYTES = 64 * 1024  # of a form around its photo
FORM_PARTS = 64  # of which only two may be files with something in them
FORM_BOUNDARY_BYTES = 70  # RFC 2046, 5.1.1
FORM_PREAMBLE_BYTES = 8 * 1024  # of text before the first boundary
FORM_FIELD_BYTES = 64 * 1024  # of all fields together
CALL_BYTES = 1_000_000  # of a call of the page; what is painted on a photo takes some thousand
WARNINGS_LENGTH = 3_900  # characters of X-Warnings, but for how many more there are
WARNING_LENGTH = 300  # characters of each warning in it

# --- the page -------------------------------------------------------------------------
PAGE_QUEUE = 32  # events of the page that wait,
PAGE_AT_ONCE = 16  # and that are handed to the workers, each tab's
PAGE_STROKES = 4  # of the brush at a time, without workers
PAGE_PHOTOS = 50  # of one ZIP file
PAGE_PATIENCE = 60  # [s] for a place in a full queue; the other visitors wait for one photo each
PAGE_KEPT = 3600  # [s] that a visitor's files stay on the disk,
PAGE_SWEEP = 600  # [s] and between two looks for those that are to be deleted
PAGE_HELD_PIXELS = 16_000_000  # a larger photo is read twice rather than kept until it is saved
SENT_FILES = 20_000  # that the page keeps in mind
FILE_BYTES = 64 * 1024  # that a file counts for at least: a million small ones fill a disk, too


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of size, number and time for what visitors send."""

    max_bytes: int = 50_000_000
    """Of an uploaded photo."""
    max_pixels: int = 50_000_000
    """Of a photo, checked before it is decoded."""
    page_bytes: int = 1_000_000_000
    """Of one upload of the page, which may be many photos."""
    stored_bytes: int = 2_000_000_000
    """On the disk for all visitors of the page together: uploads and results, each kept for an
    hour. A file counts as 64 KiB at least."""
    page_uploads: int = 8
    """Uploads of the page at a time; they go to the disk."""
    held_bytes: int = 500_000_000
    """Of all uploads that are being received by the API, which keeps them in memory."""
    receive: float = 14.5
    """[s] from the first byte of a request to its last, or from opening a connection. A socket
    closes within 15 s, also when the event loop is a little late."""
    process: float = 30.0
    """[s] from a photo's last byte to its colors."""
    idle: int = 5
    """[s] that a connection may stay open between two requests."""
    least_rate: int = 64 * 1024
    """[bytes/s] at which a client takes its answer, else it is cut off. The page's uploads, which
    may take longer than `receive`, come at least at this rate too."""
    waiting: int = 32
    """Photos that wait for a worker."""
    shutdown: int = 45
    """[s] that a stopped service takes at most to finish what runs."""
