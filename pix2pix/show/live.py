"""A training run to watch: curves that grow, pictures that change, a film of them at the end."""

import io
import time
from base64 import b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pix2pix.show.pictures import Picture, Rgb, figure, on_paper, titled, to_rgb

if TYPE_CHECKING:
    from IPython.display import DisplayHandle


class Live:
    """Curves and the newest picture of a run, redrawn in place at most every `every` seconds.

    It has the methods of `loggers.Sink`: `scalars(values, step)` and `picture(name, rgb, step)`;
    `close()` draws the last state. `names` are the curves to draw, each
    in a panel of its own; without them, all but speeds. Pictures wider than `width` pixels are
    shrunk. `movie()` holds them all.
    """

    def __init__(self, *names: str, every: float = 2.0, width: int = 720):
        self.names, self.every, self.width = names, every, width
        self.curves: dict[str, tuple[list[int], list[float]]] = {}
        self.frames: list[tuple[int, np.ndarray]] = []
        self.drawn_at = 0.0
        self.handle: DisplayHandle | None = None

    def open(self, step: int) -> None:
        """Nothing to begin: the first numbers draw it."""

    def scalars(self, values: dict[str, float], step: int) -> None:
        """Add a point to the curves."""
        for name, value in values.items():
            if name in self.names or (not self.names and name != "images_per_second"):
                steps, points = self.curves.setdefault(name, ([], []))
                steps.append(step)
                points.append(float(value))
        self.refresh()

    def picture(self, name: str, rgb: Rgb, step: int) -> None:
        """Keep a picture (H, W, 3) uint8 as the next frame, and show it."""
        self.frames.append((step, to_rgb(rgb)))
        self.refresh()

    def close(self) -> None:
        """Draw the last state."""
        if self.curves or self.frames:
            self.refresh(force=True)

    def refresh(self, *, force: bool = False) -> None:
        """Redraw, when it is time or when forced to."""
        if not force and time.monotonic() - self.drawn_at < self.every:
            return
        from IPython.display import display

        drawn = self.drawn()
        if self.handle is None:
            self.handle = display(drawn, display_id=True)
        else:
            self.handle.update(drawn)
        self.drawn_at = time.monotonic()

    def drawn(self) -> Picture:
        """The curves beside each other, the newest picture below."""
        parts = [self._curves().image] if self.curves else []
        if self.frames:
            newest = Image.fromarray(self.frames[-1][1])
            newest.thumbnail((self.width, self.width), Image.Resampling.LANCZOS)
            parts.append(newest)
        width = max(part.width for part in parts)
        sheet = Image.new("RGB", (width, sum(part.height + 4 for part in parts) - 4), "white")
        y = 0
        for part in parts:
            sheet.paste(on_paper(part), (0, y))
            y += part.height + 4
        return Picture(sheet)

    def _curves(self) -> Picture:
        from matplotlib.figure import Figure

        names = [name for name in self.names if name in self.curves] or list(self.curves)
        plot = Figure(figsize=(min(3.0 * len(names), 9), 2.2), layout="constrained")
        for panel, name in zip(plot.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            panel.plot(*self.curves[name], linewidth=1.2)
            panel.set_title(name, fontsize=9)
            panel.tick_params(labelsize=7)
            panel.grid(alpha=0.3)
        return figure(plot)

    def movie(self, *, width: int = 640, seconds: float = 6.0) -> "Movie":
        """The pictures so far, one after another, each with its step above."""
        steps = [f"step {step:,}" for step, _ in self.frames]
        frames = [frame for _, frame in self.frames]
        return Movie(frames, titles=steps, width=width, seconds=seconds)


class Movie(Picture):
    """Pictures one after another, over and over: an animated WebP inside an HTML image.

    At most `most` of them, evenly spread, the first and the last among them; of equal sizes, and
    shrunk to `width` pixels where they are wider; smaller ones are shown that wide. `titles` are
    written above them. One round takes `seconds`, the last picture stays three times as long as the
    others. It gets coarser until it has at most `most_bytes`. Raises ValueError when there are
    none.
    """

    def __init__(
        self,
        frames: Sequence[Rgb],
        *,
        titles: Sequence[str] = (),
        width: int = 640,
        seconds: float = 6.0,
        most: int = 24,
        most_bytes: int = 60_000,
    ):
        if not frames:
            raise ValueError("no frames: a movie needs at least one picture")
        chosen = sorted({round(i) for i in np.linspace(0, len(frames) - 1, most)})
        images = [Image.fromarray(to_rgb(frames[i])) for i in chosen]
        for image in images:
            image.thumbnail((width, image.height), Image.Resampling.LANCZOS)
        if titles:
            images = [titled(image, titles[i]) for i, image in zip(chosen, images, strict=True)]
        super().__init__(images[-1])
        self.frames, self.width, self.most_bytes = images, width, most_bytes
        each = int(1000 * seconds / (len(images) + 2))
        self.durations = [each] * (len(images) - 1) + [3 * each]

    def encoded(self) -> tuple[str, bytes]:
        """Its mime type, and the bytes of the file."""
        data = b""
        for scale, quality in ((1, 75), (1, 55), (1, 35), (0.75, 35), (0.5, 40), (0.35, 40)):
            size = round(self.image.width * scale), round(self.image.height * scale)
            first, *rest = (frame.resize(size) for frame in self.frames)
            more = {"append_images": rest, "duration": self.durations, "loop": 0} if rest else {}
            buffer = io.BytesIO()
            first.save(buffer, "WEBP", save_all=bool(rest), quality=quality, method=4, **more)
            data = buffer.getvalue()
            if len(data) <= self.most_bytes:
                break
        return "image/webp", data

    def _repr_mimebundle_(self, **chosen: object) -> dict[str, bytes | str]:
        # GitHub and nbconvert leave out outputs of the type image/webp, but not HTML's images
        mime, data = self.encoded()
        pixels = "image-rendering:pixelated" if self.width >= 2 * self.image.width else ""
        address = f"data:{mime};base64,{b64encode(data).decode()}"
        alt = f"{len(self.frames)} pictures, one after another"
        img = f'<img alt="{alt}" width="{self.width}" style="max-width:100%;{pixels}"'
        return {"text/html": f'{img} src="{address}">', "text/plain": repr(self)}
