"""What the page does with files: read, color, make the small pictures, write the full-size one.

Everything that takes time goes through `Coloring.run`: to a pool of workers where there is one,
else in turn. Files go to gradio's own folder, which it empties after an hour.
"""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image

from pix2pix import images
from pix2pix.app.limits import PAGE_HELD_PIXELS, Limits
from pix2pix.app.page.words import NOTICES, plain_words
from pix2pix.colorize import incolor
from pix2pix.colorize.copies import PhotoCopy, color_photo
from pix2pix.colorize.hints import Hint
from pix2pix.colorize.lightness import gray_levels
from pix2pix.colorize.reference import Reference
from pix2pix.colorize.wish import Wish
from pix2pix.colorize.workers import Workers
from pix2pix.images.names import MARK, output_name
from pix2pix.images.task import COLOR

if TYPE_CHECKING:
    from pix2pix.colorize.colorizer import Colorizer

PREVIEW_SIDE = 1600  # [px] of the pictures on the page; the download has every pixel
GAP = 0.01  # of the longer side, between before and after in one file
DEADLINE = Limits.process  # [s] for one job of a visitor

T = TypeVar("T")


@dataclass
class Opened:
    """A visitor's photo: the page's state between two clicks."""

    path: str  # of the file, bytes as they came
    before: str  # path of the small picture that the page shows
    rgb: np.ndarray  # (h, w, 3) uint8, of that picture
    notice: str = ""  # what to say of it
    photo: images.Photo | None = None  # every pixel, until the first download is written
    wish: Wish | None = None  # the visitor's last, its hints as fractions of the sides; answers
    # to an earlier one come too late
    like: Reference | None = None  # the photo whose colors it takes
    takes: tuple[Wish, ...] = ()  # that were shown last
    hints: tuple[Hint, ...] = ()  # as painted last, in the turn of the page's script
    turn: int = 0


@dataclass
class Coloring:
    """The page's work on photos, in `folder`. `course` is the other model to compare with."""

    colorizer: "Colorizer"
    folder: Path
    max_pixels: int
    workers: Workers | None = None
    course: "Colorizer | None" = None
    check_room: Callable[[], None] = lambda: None
    lock: threading.Lock = field(default_factory=threading.Lock)
    quick_lock: threading.Lock = field(default_factory=threading.Lock)
    files: set[str] = field(default_factory=set)  # that it made, for gradio to delete in time

    def run(self, job: "Callable[[Colorizer], T]", *, quick: bool = False) -> T:
        """Run a job in the pool of workers, or under a lock.

        Without a pool `quick` ones take turns of their own: a stroke of the brush does not wait
        until a large file is written. Raises PhotoError, and Busy when the pool's queue is full.
        """
        if self.workers is None:
            with self.quick_lock if quick else self.lock:
                return job(self.colorizer)
        return self.workers.submit(job, deadline=DEADLINE).result()

    def ask(self, job: "Callable[[Colorizer], T]", *, quick: bool = False) -> T:
        """`run`, with errors as messages on the page."""
        with plain_words():
            return self.run(job, quick=quick)

    def read(self, path: str) -> images.Photo:
        """Read a file. Raises PhotoError."""
        return images.read(path, max_pixels=self.max_pixels)

    def open(self, path: str, colorizer: "Colorizer") -> Opened:
        """Read a file and make the small picture of it, in gray. Raises PhotoError.

        `colorizer` is asked whether it is a negative.
        """
        photo = self.read(path)
        small = flat(photo)
        small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
        few = photo.rgb.shape[0] * photo.rgb.shape[1] <= PAGE_HELD_PIXELS
        rgb = np.asarray(small)
        kind = incolor.kind(rgb, colorizer.is_negative)
        seen = rgb if kind == "gray" else _gray(rgb)
        before = self.preview(seen, "before")
        return Opened(path, before, rgb, NOTICES[kind], photo if few else None)

    def preview(self, image: Image.Image | np.ndarray, stem: str) -> str:
        """Write a picture for the page -> its path."""
        path = self.new(f"{stem}.jpg")
        image = image if isinstance(image, Image.Image) else Image.fromarray(image)
        image.save(path, quality=95, subsampling=0)
        return str(path)

    def color(self, colorizer: "Colorizer", opened: Opened, wish: Wish) -> str:
        """Color the small picture -> its path."""
        rgb = colorizer.color(opened.rgb, wish.at(*opened.rgb.shape[:2]))
        return self.preview(rgb, "after")

    def save(
        self, colorizer: "Colorizer", source: str, wish: Wish, photo: images.Photo | None = None
    ) -> str:
        """Write the colored file: every pixel, its own format, its metadata without GPS.

        `photo` is the source where it was read already. Raises PhotoError.
        """
        photo = photo or self.read(source)
        colored = color_photo(photo, colorizer, wish.at(*photo.rgb.shape[:2]))
        path = self.new(colored.file_name(source))
        colored.write(path)
        return str(path)

    def save_both(self, colorizer: "Colorizer", opened: Opened, wish: Wish) -> str:
        """Write before and after, as small as on the page, into one JPEG file -> its path.

        Beside each other, or one above the other where the photo is wide. The file says that its
        colors come from a model, and nothing of the photo's own metadata.
        """
        after = colorizer.color(opened.rgb, wish.at(*opened.rgb.shape[:2]))
        height, width = after.shape[:2]
        axis = 0 if width > height else 1
        gap = max(2, round(GAP * max(height, width)))
        white = np.full((gap, width, 3) if axis == 0 else (height, gap, 3), 255, np.uint8)
        rgb = np.concatenate([_gray(opened.rgb), white, after], axis)
        copy = PhotoCopy(images.Photo(rgb=rgb, alpha=None, format="JPEG"), colorizer.name, COLOR)
        stem = output_name(Path(opened.path).stem + ".jpg").removesuffix(f"{MARK}.jpg")
        path = self.new(f"{stem}.both.jpg")
        copy.write(path)
        return str(path)

    def new(self, name: str) -> Path:
        """A new path in an unguessable folder of its own. Raises NoSpace."""
        self.check_room()
        folder = self.folder / secrets.token_hex(16)
        folder.mkdir(parents=True)
        self.files.add(str(folder / name))
        return folder / name


def flat(photo: images.Photo) -> Image.Image:
    """The photo without transparency, on white."""
    image = images.to_image(photo.rgb)
    if photo.alpha is None:
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=Image.fromarray(photo.alpha))
    return white


def _gray(rgb: np.ndarray) -> np.ndarray:
    """What the net sees of sRGB (h, w, 3) uint8: its lightness, as gray (h, w, 3) uint8."""
    return np.repeat(gray_levels(rgb)[..., None], 3, 2)
