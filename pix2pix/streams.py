"""Standard streams as they come: closed by a service, broken by a reader, of an old encoding."""

import contextlib
import io
import os
import sys


def prepare() -> None:
    """Make stdin, stdout and stderr usable, whatever started this process.

    Closed ones (`>&-`, cron, pythonw) become the null device: else the next file that is opened
    takes their place, and receives what is printed. What an encoding lacks is printed as `\\u5199`.
    """
    # upwards: Python has None for each that is closed, and the system gives the lowest that is free
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def drop_broken() -> None:
    """Point those of stdout and stderr that nobody reads any more to the null device.

    What is left in their buffers would else raise again when Python exits.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)
