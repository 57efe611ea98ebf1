"""Names: which files are films, and what the colored film is called."""

import os
from collections.abc import Sequence

from pix2pix.errors import UnsupportedFormat
from pix2pix.images import names
from pix2pix.images.task import COLOR

WRITTEN = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
}
"""Extensions of colored films, and FFmpeg's names of their containers."""
READ = frozenset(WRITTEN) | frozenset(
    ".avi .divx .mpg .mpeg .mpe .m1v .m2v .vob .ts .mts .m2ts .wmv .asf .flv .ogv .3gp .3g2 .mxf "
    ".dv .nut".split()
)
"""Extensions of films that are read."""
_OTHERWISE = ".mkv"  # keeps any sound, any times and any number of streams


def is_film(name: str) -> bool:
    """Whether a file's name, or the end of a glob, is that of a film."""
    return os.path.splitext(name)[1].lower() in READ


def parted(inputs: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part the inputs of a command -> films, by name or by a glob that ends in `.mp4`; others."""
    films = [path for path in inputs if is_film(path) and not os.path.isdir(path)]
    return films, [path for path in inputs if path not in films]


def is_output(name: str) -> bool:
    """Whether a film's name marks an output of ours: `*.color.EXT`."""
    return is_film(name) and os.path.splitext(name)[0].lower().endswith(COLOR.mark)


def output_name(name: str) -> str:
    """Name a film's output: `film.mp4` -> `film.color.mp4`, `film.avi` -> `film.avi.color.mkv`.

    The container stays where it is one of WRITTEN; the others cannot hold what has to be kept.
    """
    stem, extension = os.path.splitext(name)
    if extension.lower() not in WRITTEN:
        stem, extension = name, _OTHERWISE
    return names.fitted(stem, COLOR.mark + extension, name)


def container(path: str) -> str:
    """The container for an output by its extension. Raises UnsupportedFormat."""
    extension = os.path.splitext(path)[1].lower()
    if extension not in WRITTEN:
        kinds = " ".join(WRITTEN)
        raise UnsupportedFormat(f"a film is written as {kinds}, not as {extension or 'that'}")
    return WRITTEN[extension]
