"""Limits: every bound of the service, in one place."""

from dataclasses import dataclass

AROUND = 64 * 1024  # bytes of a form around its photo
LINGER = 256 * 1024  # bytes still read of what is refused, so that a client comes to read why


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a visitor may send, and for how long the service has patience."""

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
