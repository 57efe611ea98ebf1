"""The web page: drop a photo, compare before and after, take the full-size file home.

`build_page` makes it, `launch_page` serves it alone, and LOOK is what any other server passes on to
`gr.mount_gradio_app`. Only this file knows Gradio, which takes seconds to import.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # gradio reads it while it is imported

try:
    import gradio as gr
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("the page needs: pip install 'pix2pix-color[demo]'") from error
import numpy as np
from PIL import Image

from pix2pix import images
from pix2pix.errors import PhotoError

if TYPE_CHECKING:
    from gradio.data_classes import FileData

    from pix2pix.colorize import Colorizer

SAMPLES = Path(__file__).resolve().parent.parent / "resources" / "samples"
PREVIEW_SIDE = 1600  # [px] of the pictures on the page; the download has every pixel
KEPT = 3600  # [s] that a visitor's files stay on the disk

MESSAGES = {
    "unreadable": "This file could not be opened: it is empty, or no longer here. Try it again.",
    "truncated": "This photo is incomplete: its file ends too early. Try to get it again.",
    "corrupt": "This photo is damaged and cannot be opened.",
    "unsupported_format": "This file is not a photo that can be opened here. "
    "JPEG, PNG, WebP, TIFF, BMP, GIF and AVIF can.",
    "unsupported_mode": "This photo is stored in an unusual way. Save it as PNG and try again.",
    "invalid_pixels": "Parts of this photo are no colors. Save it as PNG and try again.",
    "too_large": "This photo is too large. Make it smaller and try again.",
    "timeout": "This photo took too long. Make it smaller and try again.",
    "permission": "The colored photo could not be saved.",
    "no_space": "There is no room left to save the colored photo.",
}
"""What a visitor reads, by the code of the PhotoError."""

_CSS = """
footer { display: none !important; }
.gradio-container .fillable { padding: 0 !important; }
#page { max-width: 1080px; margin: 0 auto; gap: 16px; padding: 28px 16px; }
#title h1 { font-size: clamp(1.3rem, 3.2vw, 1.9rem); font-weight: 600; letter-spacing: -.01em;
            text-align: center; text-wrap: balance; margin: 0 0 8px; }
#title span { white-space: nowrap; }
#before-after, #upload { border-radius: 14px; }
#controls > * { align-self: stretch; }
#upload { height: min(54vh, 460px) !important; border-color: var(--neutral-400) !important; }
#page:has(#before-after img) #upload { height: 64px !important; }
#page:has(#before-after img) #upload .icon-wrap { display: none; }
#upload button { height: 100% !important; }
#upload [data-testid=upload-text] { font-size: 0; }
#upload [data-testid=upload-text] > .or { display: none; }
#upload [data-testid=upload-text]::after { content: "Drop, paste or choose a photo";
                                           font-size: 1.05rem; }
#samples .label { justify-content: center; }
#samples .label svg { display: none; }
#samples .gallery { justify-content: center; }
#samples img { width: 96px; height: 96px; max-width: none; object-fit: cover; }
@media (max-width: 640px) { #samples .gallery { max-width: 324px; margin: 0 auto; } }
#note { text-align: center; text-wrap: balance; opacity: .65; }
#page .generating { border-color: transparent; animation: none; }
/* the message says it all; what was there before stays in sight */
#page [data-testid=status-tracker]:has(.error) { display: none; }
"""

# A photo may be dropped or pasted anywhere: it goes into the upload's own file field, the one way
# that sends the file's bytes as they are.
_JS = """() => {
  const field = () => document.querySelector('#upload input[type=file]');
  const take = (event, files) => {
    if (!files || !files.length) return;
    event.preventDefault();  // else the browser leaves the page for the file
    event.stopPropagation();
    const input = field();
    if (!input) return;  // one is on its way
    const one = new DataTransfer();
    one.items.add(files[0]);
    input.files = one.files;
    input.dispatchEvent(new Event('change'));
  };
  document.addEventListener('dragover', event => event.preventDefault(), true);
  document.addEventListener('drop', event => take(event, event.dataTransfer?.files), true);
  document.addEventListener('paste', event => take(event, event.clipboardData?.files), true);
  // phones then offer the camera and the gallery; Gradio's own file_types would refuse files by
  // their names, in words of its own
  const choose = () => { const input = field(); if (input) input.accept = 'image/*'; };
  document.addEventListener('click', choose, true);
  // the slider tells of a new value when the pointer is lifted only
  document.addEventListener('keyup', event => {
    if (!event.target.closest?.('#saturation')) return;
    if (event.target.type === 'range')
      event.target.dispatchEvent(new PointerEvent('pointerup', {bubbles: true}));
    else if (event.key === 'Enter') event.target.blur();
  });
  // the samples come a little later than this runs
  const name_samples = (patience) => {
    const samples = document.querySelectorAll('#samples button:has(img)');
    samples.forEach((sample, i) => { sample.ariaLabel = `Sample photo ${i + 1}`; });
    if (!samples.length && patience) setTimeout(name_samples, 200, patience - 1);
  };
  name_samples(100);
}"""

_NOTHING = "() => null"

LOOK: dict[str, Any] = {
    "theme": gr.themes.Default(
        primary_hue="orange",
        neutral_hue="stone",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    ),
    "css": _CSS,
    "js": _JS,
}
"""Theme, style sheet and script, for `launch` or `gr.mount_gradio_app`."""


def build_page(
    colorizer: "Colorizer", *, max_pixels: int = 50_000_000, samples: Path = SAMPLES
) -> gr.Blocks:
    """The page around `colorizer`; serve it with LOOK.

    `max_pixels` bounds a photo, checked before it is decoded. `samples` is a folder of JPEG files
    to try; where it is missing or empty, the page has none.
    """
    with gr.Blocks(title="Pix2PixColor", delete_cache=(600, KEPT), analytics_enabled=False) as page:
        with gr.Column(elem_id="page"):
            gr.Markdown("# See your <span>black-and-white</span> photo in color.", elem_id="title")
            slider = gr.ImageSlider(
                elem_id="before-after",
                show_label=False,
                interactive=False,
                visible=False,
                max_height=620,  # a height would crop
                buttons=["fullscreen"],
            )
            controls, saturation, download = _controls()
            upload = _upload()
            gallery = _gallery(samples)
            gr.Markdown("The colors are a guess: likely ones, not the true ones.", elem_id="note")

        do = _Handlers(colorizer, max_pixels, upload.GRADIO_CACHE)
        opened = gr.State(time_to_live=KEPT)
        shown = [slider, download]
        sources = [(upload, upload.upload)] + ([(gallery, gallery.click)] if gallery else [])
        for source, ask in sources:
            inputs, outputs = [source, saturation], [opened, controls, *shown]
            asked = ask(
                do.open,
                inputs,
                outputs,
                trigger_mode="multiple",
                show_progress_on=[upload, slider],
                **_EVENT,
            )
            asked.failure(None, js=_NOTHING, outputs=upload)
        slider.change(None, js=_NOTHING, outputs=upload)  # the next photo may come
        released = {"trigger_mode": "always_last", "show_progress": "minimal"} | _EVENT
        saturation.release(do.color, [opened, saturation], shown, **released)
    return page.queue(max_size=32, default_concurrency_limit=1)


def launch_page(
    colorizer: "Colorizer",
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    max_pixels: int = 50_000_000,
    max_megabytes: int = 50,
) -> None:
    """Serve the page until Ctrl-C. A photo of more than `max_megabytes` is refused while it comes.

    Raises OSError when the port is taken.
    """
    page = build_page(colorizer, max_pixels=max_pixels)
    _, address, _ = page.launch(
        server_name=host,
        server_port=port,
        max_file_size=f"{max_megabytes}mb",
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        share=False,
        quiet=True,
        prevent_thread_lock=True,
        **LOOK,
    )
    print(f"The page is at {address} (Ctrl-C ends it)", flush=True)
    page.block_thread()


def _controls() -> tuple[gr.Row, gr.Slider, gr.DownloadButton]:
    with gr.Row(elem_id="controls", visible=False) as row:
        saturation = gr.Slider(
            0,
            2,
            1,
            step=0.05,
            label="Color strength",
            elem_id="saturation",
            buttons=[],
            scale=3,
            min_width=320,
        )
        download = gr.DownloadButton(
            "Download",
            variant="primary",
            elem_id="download",
            interactive=False,
            scale=1,
            min_width=200,
        )
    return row, saturation, download


def _upload() -> gr.File:
    """A drop zone that hands over the path of the file as it was sent, whatever is in it.

    gr.Image would open it first, and re-encode or refuse it. gr.File leaves an empty temporary file
    behind for each one, and both fetch an address that is sent in place of a file.
    """
    # Cleared by the browser alone: as the output of a function gradio would make it anew.
    upload = gr.File(elem_id="upload", label="Photo", show_label=False)
    move = upload.async_move_resource_to_block_cache

    async def move_file(path: str | Path | None) -> str | None:
        if "://" in str(path):
            raise gr.Error(MESSAGES["unreadable"], print_exception=False)
        return await move(path)

    def sent_path(payload: "FileData | None") -> str | None:
        return payload.path if payload else None

    upload.async_move_resource_to_block_cache = move_file  # type: ignore
    upload.preprocess = sent_path  # type: ignore
    return upload


def _gallery(samples: Path) -> gr.Dataset | None:
    photos = sorted(samples.glob("*.jpg"))
    if not photos:
        return None
    return gr.Dataset(
        label="Or try one of these",
        components=["image"],
        samples=[[str(photo)] for photo in photos],
        layout="gallery",
        elem_id="samples",
    )


@dataclass
class _Opened:
    """A visitor's photo between two clicks."""

    path: str  # of the file, bytes as they came
    before: str  # path of the small picture that the page shows
    rgb: np.ndarray  # (h, w, 3) uint8, of that picture


# One photo at a time, however many visitors; the page's own calls are no public interface.
_EVENT: dict[str, Any] = {"concurrency_id": "net", "api_visibility": "private"}


class _Handlers:
    """What happens on a click. Files go to gradio's own folder, which it empties after KEPT."""

    def __init__(self, colorizer: "Colorizer", max_pixels: int, folder: str):
        self.colorizer = colorizer
        self.max_pixels = max_pixels
        self.folder = Path(folder)

    def open(self, path: str | list[str], saturation: float) -> Iterator[tuple[Any, ...]]:
        """A file -> the photo's state, the controls, both pictures; then the download."""
        path = path if isinstance(path, str) else path[0]  # a sample comes as a row of one cell
        with _plain_words():
            photo = self._read(path)
        small = _flat(photo)
        del photo
        small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
        opened = _Opened(path, self._preview(small, "before"), np.asarray(small))
        for pair, download in self.color(opened, saturation):
            yield opened, gr.update(visible=True), pair, download

    def color(self, opened: _Opened | None, saturation: float) -> Iterator[tuple[Any, Any]]:
        """Both pictures at a saturation; then the download of that saturation."""
        if opened is None or not os.path.exists(opened.before):
            raise gr.Error(MESSAGES["unreadable"], print_exception=False)
        after = Image.fromarray(self.colorizer.rgb(opened.rgb, saturation=saturation))
        pair = (opened.before, self._preview(after, "after"))
        wait = gr.update(label="Preparing ...", interactive=False)
        yield gr.update(value=pair, visible=True), wait
        try:
            path = self._save(opened.path, saturation)
        except gr.Error:
            yield gr.skip(), gr.update(label="Download", interactive=False)
            raise
        yield gr.skip(), gr.update(value=path, label="Download", interactive=True)

    def _save(self, source: str, saturation: float) -> str:
        """The colored file: every pixel, the photo's own format, its metadata without GPS."""
        with _plain_words():
            photo = self._read(source)
            rgb = self.colorizer.rgb(photo.rgb, saturation=saturation)
            path = self._new(_download_name(Path(source).name, photo))
            images.write(rgb, path, like=photo, model=self.colorizer.name)
        return str(path)

    def _read(self, path: str) -> images.Photo:
        return images.read(path, max_pixels=self.max_pixels)

    def _preview(self, image: Image.Image, stem: str) -> str:
        path = self._new(f"{stem}.jpg")
        image.save(path, quality=95, subsampling=0)
        return str(path)

    def _new(self, name: str) -> Path:
        folder = self.folder / secrets.token_hex(16)
        folder.mkdir(parents=True)
        return folder / name


@contextmanager
def _plain_words() -> Iterator[None]:
    """A PhotoError becomes a message for people."""
    try:
        yield
    except PhotoError as error:
        message = MESSAGES.get(error.code, "This photo could not be colored.")
        raise gr.Error(message, print_exception=False) from error


def _flat(photo: images.Photo) -> Image.Image:
    """The photo without transparency, on white."""
    image = Image.fromarray(photo.rgb)
    if photo.alpha is None:
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=Image.fromarray(photo.alpha))
    return white


def _download_name(name: str, photo: images.Photo) -> str:
    """`scan.tif` -> `scan.color.tif`; `a.gif` cannot hold the colors -> `a.gif.color.png`."""
    stem, suffix = os.path.splitext(name)
    written, extension = images.output_format(photo)
    if images.EXTENSIONS.get(suffix.lower()) == written:
        return f"{stem}.color{suffix}"
    return f"{name}.color{extension}"
