"""What the page does without a browser: many photos, and a pool of workers that is busy or late."""

import io
import re
import zipfile
from concurrent.futures import Future
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from running_page import tiny_weights
from skimage import data

from pix2pix import images
from pix2pix.app.limits import PAGE_PHOTOS as MOST
from pix2pix.app.page import MESSAGES, build_page
from pix2pix.app.page.coloring import DEADLINE, Coloring
from pix2pix.app.page.handlers import Handlers
from pix2pix.app.page.many import ManyHandler
from pix2pix.app.page.more import More
from pix2pix.app.page.words import BUSY, NOTICES
from pix2pix.colorize import Colorizer, incolor
from pix2pix.colorize.wish import Wish
from pix2pix.colorize.workers import Busy, Late, Workers


@pytest.fixture(scope="module")
def colorizer(tmp_path_factory: pytest.TempPathFactory) -> Colorizer:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    tiny_weights(path)
    return Colorizer.from_pretrained(path, device="cpu")


@pytest.fixture
def photo(tmp_path: Path) -> str:
    Image.fromarray(data.astronaut()[:60, :80]).convert("L").save(tmp_path / "a.png")
    return str(tmp_path / "a.png")


class Pool:
    """Workers whose queue is full `full` times before it takes a job."""

    def __init__(self, colorizer: Colorizer, full: float = 0, error: Exception | None = None):
        self.colorizer, self.full, self.error = colorizer, full, error
        self.deadlines: list[float] = []

    def submit(self, job, *, deadline):
        if self.full > 0:
            self.full -= 1
            raise Busy(0)
        self.deadlines.append(deadline)
        future: Future = Future()
        if self.error:
            future.set_exception(self.error)
        else:
            try:
                future.set_result(job(self.colorizer))
            except Exception as error:
                future.set_exception(error)
        return future


def last(steps):
    *_, step = steps
    return step


def test_page_colors_through_the_workers(colorizer: Colorizer, photo: str, tmp_path: Path) -> None:
    with Workers(colorizer, count=2) as workers:
        do = Handlers(Coloring(colorizer, tmp_path / "cache", 10**6, workers))
        opened, *_, download = last(do.open(photo, None, 1.0))
    expected = colorizer.rgb(images.read(photo).rgb)
    assert (images.read(download["value"]).rgb == expected).all()
    pool = Pool(colorizer)
    do = Handlers(Coloring(colorizer, tmp_path / "cache", 10**6, pool))
    last(do.open(photo, None, 1.0))
    More(do).show_takes(opened, None, None, 1.0)
    assert pool.deadlines == [DEADLINE] * 3  # the picture, the download, the takes


def test_full_queue_and_late_job_are_told(colorizer: Colorizer, photo: str, tmp_path: Path) -> None:
    busy = Coloring(colorizer, tmp_path, 10**6, Pool(colorizer, full=np.inf))
    with pytest.raises(gr.Error, match=BUSY):
        next(Handlers(busy).open(photo, None, 1.0))
    late = Coloring(colorizer, tmp_path, 10**6, Pool(colorizer, error=Late("", started=False)))
    with pytest.raises(gr.Error, match=MESSAGES["timeout"]):
        next(Handlers(late).open(photo, None, 1.0))


def test_panels_of_other_colors_come_too_late(
    colorizer: Colorizer, photo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coloring = Coloring(colorizer, tmp_path / "cache", 10**6, course=colorizer)
    do = Handlers(coloring)
    opened, *_ = last(do.open(photo, None, 1.0))
    run = coloring.run

    def late(job, **how):
        result, opened.wish = run(job, **how), Wish(0.5)  # a slider was moved meanwhile
        return result

    monkeypatch.setattr(coloring, "run", late)
    more = More(do)
    assert more.show_takes(opened, None, None, 1.0) == gr.skip() and not opened.takes
    assert more.compare(opened, None, 1.0) == (gr.skip(), gr.skip())


@pytest.mark.slow
def test_workers_of_the_page_run_side_by_side(colorizer: Colorizer) -> None:
    alone = build_page(colorizer)
    pooled = build_page(colorizer, Pool(colorizer))
    limits = [
        {fn.concurrency_limit for fn in page.fns.values() if fn.fn} for page in (alone, pooled)
    ]
    assert limits[0] == {1} and 1 not in limits[1]


def archive_of(handler: ManyHandler, paths: list[str]) -> tuple[zipfile.ZipFile | None, str]:
    progress, download = last(handler.color(paths))
    archive = zipfile.ZipFile(download["value"]) if download["visible"] else None
    return archive, progress["value"]


def test_many_photos_keep_names_apart(colorizer: Colorizer, photo: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "A.png").write_bytes(Path(photo).read_bytes())
    handler = ManyHandler(Coloring(colorizer, tmp_path / "cache", 10**6))
    archive, told = archive_of(handler, [photo, photo, str(other / "A.png")])
    assert archive
    assert archive.namelist() == ["a.color.png", "a (2).color.png", "A (3).color.png"]
    assert "3 of 3 are in color" in told and "<table>" not in told
    expected = colorizer.rgb(images.read(photo).rgb)
    for name in archive.namelist():
        assert (images.read(io.BytesIO(archive.read(name))).rgb == expected).all()


def test_what_is_done_is_shown_above_what_is_to_come(
    colorizer: Colorizer, photo: str, tmp_path: Path
) -> None:
    handler = ManyHandler(Coloring(colorizer, tmp_path / "cache", 10**6))
    *running, (done, _) = handler.color([photo, photo])
    assert [step["value"].count("<img") for step, _ in running] == [0, 1]
    for step, _ in running:
        bar, words = step["value"].index("<progress"), step["value"].index("Photo ")
        assert bar < words and 'class="running"' in step["value"]
    assert 'class="running"' not in done["value"]
    small = [images.read(path).rgb for path in re.findall(r'file=([^"]+)"', done["value"])]
    assert len(small) == 2 and small[0].shape == (60, 80, 3)
    expected = colorizer.rgb(images.read(photo).rgb).astype(int)
    assert np.abs(small[0] - expected).mean() < 4


def test_many_photos_wait_for_a_place(colorizer: Colorizer, photo: str, tmp_path: Path) -> None:
    patient = ManyHandler(Coloring(colorizer, tmp_path, 10**6, Pool(colorizer, full=3)))
    archive, _ = archive_of(patient, [photo])
    assert archive and len(archive.namelist()) == 1
    full = Coloring(colorizer, tmp_path, 10**6, Pool(colorizer, full=np.inf))
    archive, told = archive_of(ManyHandler(full, patience=0.05), [photo])
    assert archive is None and BUSY in told and "0 of 1" in told


@pytest.mark.slow
def test_too_many_photos_and_strange_names(
    colorizer: Colorizer, photo: str, tmp_path: Path
) -> None:
    strange = tmp_path / "<img src=x>.png"
    strange.write_bytes(b"no photo")
    handler = ManyHandler(Coloring(colorizer, tmp_path / "cache", 10**6))
    archive, told = archive_of(handler, [str(strange)] + [photo] * MOST)
    assert archive and len(archive.namelist()) == MOST - 1
    assert f"{MOST - 1} of {MOST + 1}" in told and f"Only {MOST} at a time" in told
    assert "<img src=x" not in told and "&lt;img src=x&gt;.png" in told
    assert MESSAGES["unsupported_format"] in told


def test_defect_in_one_photo_leaves_the_others(
    colorizer: Colorizer, photo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coloring = Coloring(colorizer, tmp_path / "cache", 10**6)
    read, reads = coloring.read, []

    def fails_once(path: str) -> images.Photo:
        reads.append(path)
        if len(reads) == 1:
            raise RuntimeError("out of luck")
        return read(path)

    monkeypatch.setattr(coloring, "read", fails_once)
    archive, told = archive_of(ManyHandler(coloring), [photo, photo])
    assert archive and len(archive.namelist()) == 1
    assert "1 of 2" in told and "out of luck" not in told


class Alike:
    """A colorizer that takes colors of others: of which one, it notes."""

    name, has_variants, takes_reference = "alike", False, True

    def __init__(self) -> None:
        self.likes: list[bool] = []

    def color(self, rgb: np.ndarray, wish: Wish) -> np.ndarray:
        self.likes.append(wish.like is not None)
        return rgb

    def is_negative(self, rgb: np.ndarray) -> bool:
        """Where its upper left corner is black."""
        return not rgb[0, 0].any()


def test_colors_of_another_photo_until_the_next_or_without(photo: str, tmp_path: Path) -> None:
    alike = Alike()
    do = Handlers(Coloring(alike, tmp_path / "cache", 10**6))
    more = More(do)
    opened, *_ = last(do.open(photo, None, 1.0))
    Image.fromarray(data.astronaut()).save(tmp_path / "color.png")
    first, *_ = more.like(str(tmp_path / "color.png"), opened, None, None, 1.0)
    assert first[0]["visible"] and "like.jpg" in first[1]
    more.show_takes(opened, None, None, 1.0)
    assert alike.likes[2:] == [True] * 5  # the picture, the file, three takes
    shown, *_ = last(more.unlike(opened, None, None, 1.0))
    assert shown["visible"] is False and alike.likes[-1] is False
    with pytest.raises(gr.Error, match=MESSAGES["reference"]):
        next(more.like(photo, opened, None, None, 1.0))
    list(more.like(str(tmp_path / "color.png"), opened, None, None, 1.0))
    following, *_ = last(do.open(photo, opened, 1.0))
    assert following.like is None and alike.likes[-1] is False


def test_a_new_photo_is_named_at_one_look(
    colorizer: Colorizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, small = [], incolor._small
    monkeypatch.setattr(incolor, "_small", lambda rgb: looks.append(rgb.shape) or small(rgb))
    Image.fromarray(data.astronaut()).save(tmp_path / "color.png")
    coloring = Coloring(colorizer, tmp_path / "cache", 10**6)
    opened = coloring.open(str(tmp_path / "color.png"), colorizer)
    assert opened.notice == NOTICES["color"] and len(looks) == 1


@pytest.mark.parametrize(("corner", "kind"), [(0, "negative"), (90, "gray")])
def test_a_negative_in_gray_is_named(corner: int, kind: str, tmp_path: Path) -> None:
    """Where the weights know one."""
    gray = np.full((40, 60), 90, np.uint8)
    gray[:8, :8] = corner
    Image.fromarray(gray).save(tmp_path / "gray.png")
    alike = Alike()
    opened = Coloring(alike, tmp_path / "cache", 10**6).open(str(tmp_path / "gray.png"), alike)
    assert opened.notice == NOTICES[kind]
