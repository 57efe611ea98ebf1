"""Reading: films as PyAV opens them, and what is wrong with a film as a typed error.

FFmpeg gets a file that is open already, never a name: a name could be an address, and a playlist
could name other files.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from pix2pix.errors import (
    Corrupt,
    NotPermitted,
    PhotoError,
    Truncated,
    Unreadable,
    UnsupportedFormat,
    one_line,
)
from pix2pix.files import kind, read_error

_DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegvideo,m4v,mpegts,asf,flv,ogg,mxf,dv,nut"
)
_BUFFER = 2**18  # [bytes] of a read
_KNOWN = {b"ftyp": 4, b"moov": 4, b"\x1aE\xdf\xa3": 0, b"RIFF": 0, b"FLV": 0, b"OggS": 0}


@contextmanager
def open_film(path: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a film -> its container and the stream with its pictures.

    Raises PhotoError: Unreadable, NotPermitted, Truncated (its index is missing), Corrupt, and
    UnsupportedFormat for other files, for sound without pictures and for pictures no codec reads.
    """
    with _open_regular(path) as file:
        start = file.read(16)
        file.seek(0)
        options = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "none"}
        try:
            container = av.open(
                file, "r", options=options, buffer_size=_BUFFER, metadata_errors="replace"
            )
        except av.error.FFmpegError as error:
            raise _open_error(error, start) from error
        except UnicodeError as error:
            raise Corrupt(one_line(error)) from error
        with container:
            yield container, pictures(container)


def pictures(container: InputContainer) -> VideoStream:
    """The stream of a film's pictures: the first that is no cover. Raises UnsupportedFormat."""
    for stream in container.streams.video:
        if not is_cover(stream):
            context = stream.codec_context
            if context is None or not context.name or context.name == "none":
                raise UnsupportedFormat("nothing here reads the codec of its pictures")
            if "enc" in (context.codec_tag or "") and context.codec_tag.startswith("enc"):
                raise UnsupportedFormat("it is encrypted")
            if not context.width or not context.height:
                raise Corrupt("its pictures have no size")
            return stream
    raise UnsupportedFormat("it holds no pictures" + " but sound" * bool(container.streams.audio))


def is_cover(stream: av.stream.Stream) -> bool:
    """Whether a stream is one picture that goes with the film, not the film."""
    cover = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    return bool(int(stream.disposition) & int(cover))


def demux_error(error: Exception) -> PhotoError:
    """The typed error for a read in the middle of a film that failed."""
    if isinstance(error, OSError):
        return read_error(error)
    return Corrupt(one_line(error))


@contextmanager
def _open_regular(path: str) -> Iterator[BinaryIO]:
    try:
        status = os.stat(path)  # before open: a named pipe would wait
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable(f"{kind(status.st_mode)}, not a file")
        if not status.st_size:
            raise Unreadable("the file is empty")
        file = open(path, "rb", buffering=0)  # noqa: SIM115
    except ValueError as error:  # a NUL in the name
        raise Unreadable(str(error)) from error
    except OSError as error:
        raise read_error(error) from error
    with file:
        yield file


def _open_error(error: av.error.FFmpegError, start: bytes) -> PhotoError:
    if isinstance(error, PermissionError):
        return NotPermitted(one_line(error))
    if isinstance(error, OSError) and not isinstance(error, ValueError):
        return Unreadable(error.strerror or one_line(error))
    known = any(start[at:].startswith(mark) for mark, at in _KNOWN.items())
    if start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return Truncated("its index (moov) is missing or cut: nothing of it can be read")
    if known:
        return Corrupt("its header cannot be read")
    return UnsupportedFormat("it is no film of a kind that is read here")
