"""The page's JavaScript, from the .js files beside this one. It asks nothing of the network."""

import json
from pathlib import Path

from pix2pix.app.page.words import BUSY, MESSAGES, TITLES
from pix2pix.templates import render

_HERE = Path(__file__).parent
_REFUSED = {  # by the code of the refusal, else by its status where the answer has none
    "busy": BUSY,
    "too_large": MESSAGES["too_large"],
    "413": MESSAGES["too_large"],
    "no_space": "There is no room for more photos right now. Try again in an hour.",
    "timeout": "The photo took too long to arrive. Try again.",
    "": "The photo could not be sent. Try again.",
}


def _read(name: str) -> str:
    return (_HERE / name).read_text("utf-8")


def hiding(count: int) -> str:
    """A script that hides `count` outputs, at least two."""
    return f"() => Array({count}).fill({{__type__: 'update', visible: false}})"


def showing(name: str) -> str:
    """A script that scrolls to the element `#name`, once its pictures are there."""
    return f"async () => {{\nconst name = '{name}';\n{_read('show.js')}}}"


_PARTS = ("drop", "compare", "names")
ON_LOAD = f"() => {{\nconst titles = {json.dumps(TITLES)};" + "".join(
    f"\n{{\n{_read(f'{part}.js')}}}" for part in _PARTS
)
ON_LOAD += "\n}"
OPEN_CAMERA = f"async () => {{\n{_read('camera.js')}}}"
TOGGLE_TOUCH = "() => { document.dispatchEvent(new Event('touch-up')); }"
TOUCH_FAILED = "() => { document.dispatchEvent(new Event('touch-failed')); }"
SAVE = f"file => {{\n{_read('save.js')}}}"
NOTHING = "() => null"
PAINT = _read("touch.js")
"""For gr.HTML, which gives it `element`, `props` and `trigger`."""
REFUSALS = render(_HERE / "refusals.html", words=_REFUSED)
"""For the head of the page."""
