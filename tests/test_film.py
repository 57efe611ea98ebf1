"""Films, whole: what goes in, what comes out, and what never does."""

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext, suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import warm
from clips import RATE, SOUND, Clip, Painted, decoded, packets, plane
from PIL import Image
from places import ROOT

from pix2pix.cli.__main__ import main
from pix2pix.colorize.folders import FileOptions
from pix2pix.colorize.wish import Wish
from pix2pix.errors import NotPermitted
from pix2pix.film import encoding, films, jobs, making, parts
from pix2pix.film.coloring import Look
from pix2pix.film.films import Run
from pix2pix.images import orientation

LOSSLESS = {"qp": "0", "preset": "ultrafast", "bf": "0"}


def color(*films, out=None, net=None, hints=(), wish=None, **files):
    """Color films by a net that needs no time -> their records."""
    net = net or Painted()
    run = Run(
        lambda: Look(net, wish or Wish(), hints), FileOptions(**files), lambda *_: nullcontext(int)
    )
    films = [str(film) for film in films]
    return list(run(jobs.find(films, out=out and str(out), alone=len(films) == 1)))


def times(frames):
    return [frame.pts * frame.time_base for frame in frames]


def left(folder):
    """What is in a folder, hidden or not."""
    return sorted(os.listdir(folder))


@pytest.mark.slow
@pytest.mark.parametrize(
    "clip",
    [
        pytest.param(Clip(), id="plain"),
        pytest.param(Clip(format="yuv420p10le"), id="10 bits"),
        pytest.param(Clip(format="yuv422p"), id="4:2:2"),
        pytest.param(Clip(format="gray"), id="gray"),
        pytest.param(Clip(format="yuvj420p", codec="mjpeg", options={}), id="full range"),
        pytest.param(Clip(format="gray10le", codec="ffv1", options={}), id="gray of 10 bits"),
        pytest.param(Clip(size=(63, 47), format="yuv444p"), id="odd"),
        pytest.param(Clip(format="yuv411p", codec="ffv1", options={}), id="4:1:1"),
    ],
)
def test_every_pixel_of_luma_stays_as_it_is(tmp_path, monkeypatch, clip):
    """Seen through an encoder that loses nothing."""
    monkeypatch.setitem(encoding._OPTIONS, "libx264", LOSSLESS)
    source, out = clip.write(tmp_path / "a.mkv"), tmp_path / "b.mkv"
    (record,) = color(source, out=out)
    assert record.status == "colored", record
    before, after = decoded(source), decoded(out)
    assert len(before) == len(after) == clip.frames
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(plane(one), plane(other))
    assert plane(after[5], 1).std() > 1, "no color"


def test_a_flash_and_its_beep_stay_together(tmp_path):
    clip = Clip(frames=50, beep=30)
    (record,) = color(clip.write(tmp_path / "a.mp4"))
    frames = decoded(record.output)
    flash = times(frames)[int(np.argmax([plane(frame).mean() for frame in frames]))]
    sound = np.concatenate([f.to_ndarray()[0] for f in decoded(record.output, "audio")])
    loud = np.abs(sound) > 0.4
    beep = np.flatnonzero(loud).mean() / SOUND - 0.5 / RATE  # the middle, back to the beginning
    assert abs(float(flash) - 30 / RATE) < 1e-3
    assert abs(beep - float(flash)) < 1 / RATE


def test_sound_subtitles_chapters_and_words_are_copied_and_places_are_not(tmp_path):
    chapter = {"id": 1, "start": 0, "end": 400, "time_base": Fraction(1, 1000), "metadata": {}}
    words = {"title": "Harvest", "comment": "reel 3", "location": "+48.1+011.5/"}
    clip = Clip(subtitles=True, chapters=[chapter], metadata=words)
    source = clip.write(tmp_path / "a.mkv")
    (record,) = color(source)
    assert record.warnings == []
    for kind in ("audio", "subtitles"):
        assert packets(source, kind) == packets(record.output, kind)
    import av

    with av.open(record.output) as film:
        said = {key.lower(): value for key, value in film.metadata.items()}
        assert len(film.chapters()) == 1
    assert said["title"] == "Harvest"
    assert said["comment"] == "reel 3; colorized by Pix2PixColor, painted"
    assert "location" not in said
    (record,) = color(source, out=tmp_path / "gps.mkv", keep_gps=True)
    with av.open(record.output) as film:
        assert film.metadata["LOCATION"] == "+48.1+011.5/"


def test_what_a_container_cannot_hold_is_named(tmp_path):
    source = Clip(subtitles=True).write(tmp_path / "a.mkv")
    (record,) = color(source, out=tmp_path / "b.mp4")
    assert record.warnings == [
        "stream 2, subtitle (srt), is left out: mp4 does not take it from here"
    ]
    assert packets(source, "audio")[5][1] == packets(record.output, "audio")[5][1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "clip",
    [
        pytest.param(Clip(frames=40, options={"bf": "3", "crf": "12"}), id="B-frames"),
        pytest.param(
            Clip(frames=6, times=[0, 1, 2, 9, 10, 30], clock=Fraction(1, 90)), id="varying rate"
        ),
        pytest.param(
            Clip(frames=6, times=[50, 51, 52, 53, 54, 55], sound=None), id="begins after 2 s"
        ),
    ],
)
@pytest.mark.parametrize("end", ["mp4", "mkv"])
def test_every_frame_keeps_its_time(tmp_path, clip, end):
    source = clip.write(tmp_path / f"a.{end}")
    (record,) = color(source)
    assert times(decoded(record.output)) == times(decoded(source))


@pytest.mark.slow
@pytest.mark.parametrize("end", ["mp4", "mkv"])
def test_frames_before_zero_stay_before_the_sound(tmp_path, monkeypatch, end):
    """As after an edit list; what a container cannot begin below 0, it moves as a whole."""
    clip = Clip(frames=30)
    source = clip.write(tmp_path / f"a.{end}")
    (usual,) = color(source, out=tmp_path / f"usual.{end}")
    frames = making.Frames.__iter__

    def earlier(self):
        for frame in frames(self):
            frame.pts -= round(Fraction(3, RATE) / frame.time_base)
            yield frame

    monkeypatch.setattr(making.Frames, "__iter__", earlier)
    (early,) = color(source, out=tmp_path / f"early.{end}")
    apart = []
    for record in (usual, early):
        flash = np.argmax([plane(frame).mean() for frame in decoded(record.output)])
        sound = packets(record.output, "audio")
        shown = times(decoded(record.output))[flash]
        apart.append(float(shown - sound[0][0]))
    assert abs(apart[0] - apart[1] - 3 / RATE) < 0.002


def test_tags_rotation_and_the_shape_of_pixels_are_kept(tmp_path):
    tags = {"color_range": 1, "colorspace": 9, "color_primaries": 9, "color_trc": 14}
    shape = {"sample_aspect_ratio": Fraction(16, 15)}
    clip = Clip(rotation=90, tags=tags | shape, format="yuv420p10le")
    (record,) = color(clip.write(tmp_path / "a.mp4"))
    import av

    with av.open(record.output) as film:
        stream = film.streams.video[0]
        frame = next(film.decode(stream))
        assert stream.sample_aspect_ratio == Fraction(16, 15)
        assert frame.rotation == 90
        assert frame.format.name == "yuv420p10le"
        assert {name: getattr(frame, name) for name in tags} == tags


def test_what_a_film_does_not_say_of_its_colors_its_copy_does(tmp_path):
    (record,) = color(Clip(sound=None, frames=3).write(tmp_path / "a.mp4"))
    frame = decoded(record.output)[0]
    found = frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc
    assert found == (1, 6, 6, 6)  # limited range, BT.601 for 525 lines


def test_a_net_sees_a_turned_film_upright_and_its_colors_are_turned_back(tmp_path):
    seen = []

    class Tall(Painted):
        def predict(self, rgb, wish=None):
            seen.append(rgb.shape)
            return super().predict(rgb, wish)

    source = Clip(rotation=90, sound=None).write(tmp_path / "a.mp4")
    (turned,) = color(source, net=Tall())
    assert set(seen[1:]) == {(64, 48, 3)}  # the first is the plan's
    (plain,) = color(Clip(sound=None).write(tmp_path / "b.mp4"))
    one, other = (decoded(record.output)[8] for record in (turned, plain))
    assert np.abs(plane(one, 1).astype(int) - plane(other, 1)).mean() < 2


ONE = 65536  # of a display matrix


def shown(gray, matrix):
    """A picture (H, W) as players show it: column p, row q go to a p + c q and b p + d q."""
    a, b, _, c, d = (number // ONE for number in matrix[:5])
    q, p = np.mgrid[: gray.shape[0], : gray.shape[1]]
    rows, columns = b * p + d * q, a * p + c * q
    rows, columns = rows - rows.min(), columns - columns.min()
    result = np.empty((rows.max() + 1, columns.max() + 1), gray.dtype)
    result[rows, columns] = gray
    return result


@pytest.mark.parametrize("b", [0, 1, -1])
@pytest.mark.parametrize("first", [1, -1])
@pytest.mark.parametrize("second", [1, -1])
def test_a_picture_is_upright_as_players_show_it(first, second, b):
    a, c, d = (0, first, 0) if b else (first, 0, second)
    matrix = (a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30)
    gray = np.arange(12).reshape(3, 4)
    number = making._turned(matrix)
    assert np.array_equal(orientation.turned(gray, number), shown(gray, matrix))
    assert np.array_equal(orientation.turned_back(shown(gray, matrix), number), gray)


def test_a_net_sees_a_mirrored_film_as_players_show_it(tmp_path):
    seen = []

    class Watching(Painted):
        def predict(self, rgb, wish=None):
            seen.append(rgb[..., 0].astype(int))
            return super().predict(rgb, wish)

    plain = Clip(sound=None).write(tmp_path / "a.mp4")
    mirror = (-ONE, 0, 0, 0, ONE, 0, 64 * ONE, 0, 1 << 30)
    source = Clip(sound=None, matrix=mirror).write(tmp_path / "b.mp4")
    (expected,), (record,) = color(plain, net=Watching()), color(source, net=Watching())
    half = len(seen) // 2
    for one, other in zip(seen[1:half], seen[half + 1 :], strict=True):  # each first: the plan's
        assert np.array_equal(other, one[:, ::-1])
    frame = decoded(record.output)[8]
    assert making._matrix(frame) == mirror
    for index in (1, 2):
        off = np.abs(plane(frame, index).astype(int) - plane(decoded(expected.output)[8], index))
        assert off.mean() < 2


def test_a_size_that_changes_is_said_and_its_frames_keep_their_times(tmp_path):
    import av

    path = tmp_path / "a.ts"
    with av.open(str(path), "w") as film:
        stream = None
        for part, size in enumerate([(64, 48), (96, 64), (64, 48)]):
            clip = Clip(size=size, sound=None, times=list(range(10 * part, 10 * part + 10)))
            writer = av.Codec("libx264", "w").create()
            writer.width, writer.height, writer.pix_fmt = *size, "yuv420p"
            writer.time_base, writer.options = clip.clock, clip.options
            if stream is None:
                stream = film.add_stream("libx264", rate=RATE)
                stream.width, stream.height = size
            for frame in [*map(clip.frame, range(10)), None]:
                for packet in writer.encode(frame):
                    packet.stream, packet.time_base = stream, clip.clock
                    film.mux(packet)
    before = decoded(path)
    assert {(frame.width, frame.height) for frame in before} == {(64, 48), (96, 64)}
    (record,) = color(path)
    assert "10 frames of another size are scaled to that of the first" in record.warnings
    after = decoded(record.output)
    assert {(frame.width, frame.height) for frame in after} == {(64, 48)}
    assert np.ptp([float(a - b) for a, b in zip(times(after), times(before), strict=True)]) < 0.002
    for one, other in zip(before[:10] + before[-10:], after[:10] + after[-10:], strict=True):
        assert np.abs(plane(one).astype(int) - plane(other)).mean() < 3


@pytest.mark.parametrize(
    ("clip", "name", "said"),
    [
        pytest.param(
            Clip(codec="mpeg2video", options={"flags": "+ilme+ildct"}, size=(64, 64)),
            "a.mkv",
            "interlaced",
            id="interlaced",
        ),
        pytest.param(Clip(tags={"color_trc": 16}), "a.mkv", "HDR (PQ)", id="HDR"),
        pytest.param(
            Clip(format="yuva420p", codec="ffv1", options={}), "a.mkv", "transparency", id="alpha"
        ),
        pytest.param(
            Clip(format="gray16le", codec="ffv1", options={}), "a.mkv", "16 bits", id="16 bits"
        ),
    ],
)
def test_what_is_special_is_said(tmp_path, clip, name, said):
    (record,) = color(clip.write(tmp_path / name))
    assert record.status == "colored"
    assert len(record.warnings) == 1 and said in record.warnings[0]


@pytest.mark.parametrize(("first", "number"), [("tff", 2), ("bff", 3)])
def test_interlaced_film_keeps_its_fields_in_their_order(tmp_path, first, number):
    import av

    options = {"preset": "ultrafast", "x264-params": f"{first}=1"}
    source = Clip(options=options, size=(64, 64), sound=None).write(tmp_path / "a.mp4")
    (record,) = color(source)
    for path in (source, record.output):
        with av.open(path) as film:
            stream = film.streams.video[0]
            assert next(film.decode(stream)).interlaced_frame
            assert stream.codec_context.field_order == number


@pytest.mark.parametrize(
    ("make", "code"),
    [
        pytest.param(lambda path: path.write_bytes(b""), "unreadable", id="empty"),
        pytest.param(lambda path: path.mkdir(), "unreadable", id="folder"),
        pytest.param(lambda path: os.mkfifo(path), "unreadable", id="pipe"),
        pytest.param(lambda path: None, "unreadable", id="missing"),
        pytest.param(lambda path: path.write_bytes(bytes(5000)), "unsupported_format", id="zeros"),
        pytest.param(
            lambda path: path.write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n"),
            "unsupported_format",
            id="playlist",
        ),
        pytest.param(
            lambda path: path.write_bytes(b"\x1aE\xdf\xa3" + b"no header" * 99), "corrupt", id="mkv"
        ),
    ],
)
def test_what_is_no_film_is_one_typed_error(tmp_path, make, code):
    path = tmp_path / "a.mp4"
    make(path)
    before = left(tmp_path)
    (record,) = color(path)
    assert (record.status, record.code) == ("failed", code)
    assert left(tmp_path) == before


def test_sound_alone_is_no_film(tmp_path):
    import av

    clip = Clip()
    with av.open(str(tmp_path / "a.mp4"), "w") as film:
        audio = film.add_stream("aac", rate=SOUND)
        for start in range(0, 9 * 1024, 1024):
            film.mux(audio.encode(clip._sound(start, audio)))
        film.mux(audio.encode(None))
    (record,) = color(tmp_path / "a.mp4")
    assert (record.code, record.reason) == ("unsupported_format", "it holds no pictures but sound")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_a_cut_film_is_an_error_unless_what_is_there_is_wanted(tmp_path, name):
    early = {"movflags": "faststart"} if name.endswith("mp4") else {}
    clip = Clip(frames=100, container=early, sound="mp2" if name.endswith("avi") else "aac")
    if name.endswith("avi"):
        clip.codec, clip.options = "mpeg4", {}
    path = tmp_path / name
    whole = open(clip.write(path), "rb").read()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    (record,) = color(path)
    assert record.code == "truncated" and "--allow-truncated" in record.reason
    assert left(tmp_path) == [name]
    (record,) = color(path, allow_truncated=True)
    assert record.status == "colored" and "the film is cut" in record.warnings[0]
    assert 20 < len(decoded(record.output)) < 90


def test_an_index_that_is_missing_is_said(tmp_path):
    path = tmp_path / "a.mp4"
    whole = open(Clip().write(path), "rb").read()
    path.write_bytes(whole[: len(whole) // 2])
    (record,) = color(path, allow_truncated=True)
    assert record.code == "truncated" and "moov" in record.reason


@pytest.mark.slow
def test_damaged_packets_are_counted_and_the_others_keep_their_times(tmp_path):
    path = tmp_path / "a.mp4"
    clip = Clip(frames=60, options={"crf": "12", "preset": "ultrafast", "g": "10"})
    times_before = times(decoded(clip.write(path)))
    data = bytearray(path.read_bytes())
    for _, packet in packets(path, "video")[22:26]:
        at = data.index(packet)
        data[at : at + len(packet)] = b"\xff" * len(packet)
    path.write_bytes(data)
    (record,) = color(path)
    assert record.status == "colored"
    assert any("damaged frames" in line for line in record.warnings)
    after = times(decoded(record.output))
    assert len(after) >= 55 and set(after) <= set(times_before)
    assert packets(path, "audio")[20][1] == packets(record.output, "audio")[20][1]


def test_outputs_that_are_there_are_skipped_unless_overwrite(tmp_path):
    source = Clip(frames=3, sound=None).write(tmp_path / "a.mp4")
    os.utime(source, (10**9, 10**9))
    os.chmod(source, 0o640)
    (record,) = color(source)
    status = os.stat(record.output)
    assert (status.st_mtime, status.st_mode & 0o777) == (10**9, 0o640 & ~making._umask())
    assert [r.status for r in color(source)] == ["skipped"]
    assert [r.status for r in color(source, overwrite=True)] == ["colored"]
    os.utime(source, (2 * 10**9, 2 * 10**9))
    (record,) = color(source)
    assert record.reason is not None and "made anew" in record.reason


def test_films_already_in_color_are_said_or_left_alone(tmp_path):
    colored = color(Clip(sound=None).write(tmp_path / "a.mp4"))[0].output
    vivid = Clip(frames=4, sound=None, format="yuv444p")

    def paint(number, frame=vivid.frame):
        made = frame(number)
        for index, value in ((1, 60), (2, 200)):
            lines = np.frombuffer(made.planes[index], np.uint8)
            lines[: len(lines) // 2] = value
        return made

    vivid.frame = paint
    source = vivid.write(tmp_path / "c.mp4")
    (record,) = color(source, skip_color=True)
    assert (record.status, record.reason) == ("ignored", "already in color")
    (record,) = color(source)
    assert "in color already" in record.warnings[0]
    assert os.path.exists(colored)


def test_too_many_pixels_are_refused(tmp_path):
    (record,) = color(Clip(frames=2).write(tmp_path / "a.mp4"), max_pixels=64 * 48 - 1)
    assert record.code == "too_large" and "--max-pixels" in record.reason


def test_the_encoder_writes_the_same_frames_whatever_memory_held_before():
    """At a width at which x264's macroblock tree read what nobody wrote, in one run of ten."""
    rng = np.random.default_rng(0)
    tiles = np.kron(rng.integers(0, 200, (12, 18)), np.ones((8, 8), int)).astype(np.uint8)
    written = set()
    for _ in range(60):
        held = [rng.bytes(size) for size in rng.choice([2_000, 5_000, 40_000, 300_000], 60)]
        del held
        with encoding.open_part(io.BytesIO()) as part:
            stream = part.add_stream("libx264", rate=RATE, options=encoding._OPTIONS["libx264"])
            stream.width, stream.height, stream.pix_fmt = 144, 96, "yuv420p"
            stream.codec_context.thread_count = 1
            packed = []
            for number in range(40):
                luma = np.roll(tiles, 8 * (number // 3), 1) + np.uint8(number)
                frame = av.VideoFrame.from_ndarray(np.vstack([luma, luma[::2]]), "yuv420p")
                frame.pts = number
                packed += stream.encode(frame)
            packed += stream.encode()
        written.add(b"".join(map(bytes, packed)))
    assert len(written) == 1


# Runs that are stopped


def same_frames(one, other):
    frames, others = decoded(one), decoded(other)
    assert times(frames) == times(others)
    for a, b in zip(frames, others, strict=True):
        assert all(np.array_equal(plane(a, i), plane(b, i)) for i in range(3))


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from clips import Painted
from pix2pix.film import making
making.FRAMES = 8
class Doomed(Painted):
    def predict(self, rgb, wish=None):
        if self.asked == {after}:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().predict(rgb, wish)
from test_film import color
color({source!r}, net=Doomed())
"""


@pytest.mark.slow
@pytest.mark.parametrize("after", [3, 21])
def test_a_killed_run_goes_on_and_makes_the_same_film(tmp_path, monkeypatch, after):
    monkeypatch.setattr(making, "FRAMES", 8)
    source = Clip(frames=40).write(tmp_path / "a.mp4")
    (whole,) = color(source, out=tmp_path / "whole.mp4")
    code = KILLED.format(tests=str(ROOT / "tests"), after=after, source=source)
    done = subprocess.run([warm.python(), "-c", code], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "a.color.mp4").exists()
    assert any(name.startswith(".pix2pix-film-") for name in left(tmp_path))
    net = Painted()
    (record,) = color(source, net=net)
    assert record.status == "colored"
    assert net.asked <= (41 if after == 3 else 40 - 8 + 1)  # one is the plan's
    same_frames(whole.output, record.output)
    assert left(tmp_path) == ["a.color.mp4", "a.mp4", "whole.mp4"]


class Stopped(Painted):
    """Is interrupted after some frames."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def predict(self, rgb, wish=None):
        if self.asked > self.after:
            raise KeyboardInterrupt
        return super().predict(rgb, wish)


@pytest.mark.slow
@pytest.mark.parametrize("change", ["source", "wish", "weights", "nothing"])
def test_what_is_left_of_another_film_or_another_wish_is_not_used(tmp_path, monkeypatch, change):
    monkeypatch.setattr(making, "FRAMES", 8)
    source = Clip(frames=30, sound=None).write(tmp_path / "a.mp4")
    with suppress(KeyboardInterrupt):
        color(source, net=Stopped(20))
    net, wish = Painted(), Wish()
    if change == "source":
        Clip(frames=30, sound=None, options={"crf": "30"}).write(source)
    elif change == "wish":
        wish = Wish(saturation=0.5)
    elif change == "weights":
        predict = net.predict
        net.predict = lambda *a: -predict(*a)
    (record,) = color(source, net=net, wish=wish)
    assert record.status == "colored"
    assert net.asked == 31 - (0 if change != "nothing" else 16)
    (fresh,) = color(source, out=tmp_path / "b.mp4", net=net, wish=wish)
    same_frames(record.output, fresh.output)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no more"])
def test_what_is_left_in_pieces_is_not_used(tmp_path, damage):
    (tmp_path / "0").mkdir()
    place = parts.Workplace(str(tmp_path / "0"))
    assert place.plan({"threads": 1}) == []
    place.finish(0, 8, 0, {"mean": np.zeros(3)})
    assert len(place.plan({"threads": 1})) == 1
    (tmp_path / "0" / "000000.npz").write_bytes(damage)
    assert place.plan({"threads": 1}) == [] and left(place.folder) == []


def test_two_runs_at_one_film_do_not_meet(tmp_path):
    source = Clip(frames=2, sound=None).write(tmp_path / "a.mp4")
    with parts.opened(str(tmp_path / "a.color.mp4")):
        (record,) = color(source)
    assert record.code == "permission" and "another run" in record.reason
    assert record.again  # the other one may be killed


def test_too_little_memory_for_a_film_is_the_machines_fault(tmp_path, monkeypatch):
    def fail(*args, **options):
        raise av.error.MemoryError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(films, "survey", fail)
    (tmp_path / "a.mp4").write_bytes(b"film")
    (record,) = color(tmp_path / "a.mp4")
    assert record.status == "failed" and record.again


def test_a_folder_that_cannot_be_written_is_one_record_as_of_photos(tmp_path):
    films = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    for path in (*films, tmp_path / "out"):
        path.write_bytes(b"no folder")
    (record,) = color(*films, out=tmp_path / "out")
    assert (record.path, record.code) == (str(tmp_path / "out"), "permission")
    assert record.again


def test_what_nobody_has_gone_on_with_for_long_is_removed(tmp_path):
    def abandoned(name, days):
        folder = tmp_path / name
        folder.mkdir()
        for inside in ("plan.json", "lock", "000000.nut"):
            (folder / inside).write_bytes(b"{}")
            os.utime(folder / inside, (time.time() - days * 86400,) * 2)

    mark = ".pix2pix-film-"
    abandoned(mark + "0123456789abcdef", 31)
    abandoned(mark + "fedcba9876543210", 29)
    abandoned(mark + "of-a-user", 31)
    busy = parts.folder_of(str(tmp_path / "b.mp4"))
    abandoned(os.path.basename(busy), 31)
    source = Clip(frames=2, sound=None).write(tmp_path / "a.mp4")
    with parts.opened(str(tmp_path / "b.mp4")):
        (record,) = color(source)
    assert record.status == "colored"
    kept = {mark + "fedcba9876543210", mark + "of-a-user", os.path.basename(busy)}
    assert set(left(tmp_path)) == kept | {"a.mp4", "a.color.mp4"}
    assert [record.status for record in color(source)] == ["skipped"]
    assert os.path.basename(busy) not in left(tmp_path)


def aged(folder, days):
    """A folder of a film in the making, which nobody has changed for so many days."""
    folder.mkdir()
    os.utime(folder, (time.time() - days * 86400,) * 2)
    return folder


def at_lock(monkeypatch, work):
    """Do something, once, between opening the lock and having it."""
    lock, waiting = parts.fcntl.flock, [work]

    def flock(*arguments):
        if waiting:
            waiting.pop()()
        lock(*arguments)

    monkeypatch.setattr(parts.fcntl, "flock", flock)


def test_an_empty_folder_is_as_old_as_itself(tmp_path):
    aged(tmp_path / ".pix2pix-film-0123456789abcdef", 31)
    aged(tmp_path / ".pix2pix-film-fedcba9876543210", 29)
    parts.sweep(str(tmp_path))
    assert left(tmp_path) == [".pix2pix-film-fedcba9876543210"]


def test_what_a_run_goes_on_with_meanwhile_is_not_removed(tmp_path, monkeypatch):
    pytest.importorskip("fcntl")
    folder = aged(tmp_path / ".pix2pix-film-0123456789abcdef", 31)
    at_lock(monkeypatch, lambda: (folder / "000000.nut").write_bytes(b""))
    parts.sweep(str(tmp_path))
    assert set(left(folder)) == {"000000.nut", "lock"}


@pytest.mark.parametrize("anew", [False, True])
def test_a_workplace_that_is_removed_meanwhile_is_made_again(tmp_path, monkeypatch, anew):
    pytest.importorskip("fcntl")
    dest = str(tmp_path / "a.mp4")
    folder = Path(parts.folder_of(dest))

    def removed():
        shutil.rmtree(folder)
        if anew:
            folder.mkdir()
            (folder / "lock").touch()

    at_lock(monkeypatch, removed)
    with parts.opened(dest):
        assert left(folder) == ["lock"]
        with pytest.raises(NotPermitted), parts.opened(dest):
            pass


def test_the_lock_of_a_workplace_goes_last(tmp_path, monkeypatch):
    dest = str(tmp_path / "a.mp4")
    with parts.opened(dest) as place:
        (Path(place.folder) / "000000.nut").touch()
        monkeypatch.setattr(parts.shutil, "rmtree", lambda *_, **__: None)
        place.remove()
        assert left(place.folder) == ["lock"]


@pytest.mark.slow
def test_a_full_disk_leaves_what_is_done_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(making, "FRAMES", 8)
    source = Clip(frames=30, sound=None).write(tmp_path / "a.mp4")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(making.Joined, "write", full)
        (record,) = color(source)
    assert record.code == "no_space" and "stays in" in record.reason
    assert not (tmp_path / "a.color.mp4").exists()
    net = Painted()
    (record,) = color(source, net=net)
    assert record.status == "colored" and net.asked == 1
    assert left(tmp_path) == ["a.color.mp4", "a.mp4"]


def test_other_failures_leave_nothing(tmp_path):
    class Broken(Painted):
        def predict(self, rgb, wish=None):
            if self.asked > 5:
                raise ValueError("its weights are broken")
            return super().predict(rgb, wish)

    source = Clip(frames=30, sound=None).write(tmp_path / "a.mp4")
    (record,) = color(source, net=Broken())
    assert record.status == "failed" and "broken" in record.reason
    assert left(tmp_path) == ["a.mp4"]


# The command


@pytest.mark.slow
def test_films_are_given_by_name_or_glob_and_counted_in_folders(tmp_path, capsys):
    for name in ("a.mp4", "b.mp4", "c.avi"):
        clip = Clip(frames=2, sound=None)
        if name.endswith("avi"):
            clip.codec, clip.options = "mpeg4", {}
        clip.write(tmp_path / name)
    found = [job.dest for job in jobs.find([str(tmp_path / "*.mp4")], alone=True)]
    assert sorted(map(os.path.basename, found)) == ["a.color.mp4", "b.color.mp4"]
    (job,) = jobs.find([str(tmp_path / "c.avi")], alone=True)
    assert os.path.basename(job.dest) == "c.avi.color.mkv"
    assert main(["colorize", str(tmp_path)]) == 1
    assert "3 files of other kinds: .mp4 2, .avi 1" in capsys.readouterr().err
    (record,) = jobs.find([str(tmp_path / "a.mp4")], out="b.avi", alone=True)
    assert record.code == "unsupported_format" and ".mkv" in record.reason
    (record,) = jobs.find([str(tmp_path / "a.mp4")], out=str(tmp_path / "a.mp4"), alone=True)
    assert record.code == "permission"
    parted = list(jobs.find([str(tmp_path / "*.mp4")], alone=True, shard=(1, 2)))
    others = list(jobs.find([str(tmp_path / "*.mp4")], alone=True, shard=(2, 2)))
    assert len(parted) + len(others) == 2


@pytest.mark.parametrize(
    "name",
    ["a\nb.mp4", "-o.mp4", "n" * 251 + ".mp4", "[x]*.mp4", os.fsdecode(b"a\xff.mp4"), "A.B.MP4"],
    ids=["newline", "dash", "long", "glob", "not UTF-8", "upper case"],
)
def test_odd_names(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Clip(frames=2, sound=None).write(tmp_path / "a.mp4")
    os.rename("a.mp4", name)
    (record,) = color(name)
    assert record.status == "colored" and len(decoded(tmp_path / record.output)) == 2
    assert len(left(tmp_path)) == 2


@pytest.mark.slow
def test_the_command_colors_a_film_with_the_bundled_net(tmp_path, capfd):
    source = Clip(frames=4).write(tmp_path / "a.mp4")
    options = ["--hint", "20,20,#a03020@0.04", "--saturation", "1.2", "--json"]
    assert main(["colorize", source, *options]) == 0
    said = capfd.readouterr()
    assert json.loads(said.out)["output"] == str(tmp_path / "a.color.mp4")
    assert said.err == "1 colored, 0 skipped (already there), 0 failed\n"
    assert main(["colorize", source]) == 0
    assert "1 skipped" in capfd.readouterr().err
    Image.fromarray(np.full((40, 60), 128, np.uint8)).save(tmp_path / "b.png")
    (tmp_path / "c.mp4").write_bytes(b"none")
    inputs = [str(tmp_path / name) for name in ("a.mp4", "b.png", "c.mp4")]
    assert main(["colorize", *inputs, "-o", str(tmp_path / "out")]) == 2
    assert left(tmp_path / "out") == ["a.color.mp4", "b.color.png"]
    assert "2 colored, 0 skipped (already there), 1 failed" in capfd.readouterr().err


def test_beside_a_film_a_photo_is_not_alone(tmp_path, capsys):
    Image.fromarray(np.full((40, 60), 128, np.uint8)).save(tmp_path / "b.png")
    (tmp_path / "c.mp4").write_bytes(b"none")
    inputs = [str(tmp_path / name) for name in ("b.png", "c.mp4")]
    assert main(["colorize", *inputs, "-o", str(tmp_path / "out.png")]) == 2
    assert left(tmp_path / "out.png") == ["b.color.png"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--hint", "1,1,#zzzzzz"], "it must be X,Y,#RRGGBB"),
        (["--hint", "1,1,#aabbcc@soon"], "after @ are seconds"),
        (["-o", "-"], "not for a pipe"),
        (["--watch"], "--watch is for photos"),
        (["--sidecars"], "--sidecars is for photos"),
        (["--pages", "all"], "--pages is for photos"),
        (["b.mp4", "--hint", "1,1,#aabbcc"], "--hint is for one photo, or one film"),
    ],
)
def test_options_that_a_film_cannot_have(tmp_path, capsys, options, said):
    source = Clip(frames=2, sound=None).write(tmp_path / "a.mp4")
    assert main(["colorize", source, *options]) == 1
    assert said in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_hint_outside_of_the_film_is_one_line(tmp_path, capfd):
    from pix2pix.film.hints import parse

    source = Clip(frames=2, sound=None).write(tmp_path / "a.mp4")
    (record,) = color(source, hints=(parse("99,1,#aabbcc"),))
    assert record.code == "hint"
    assert left(tmp_path) == ["a.mp4"]


def test_without_pyav_one_line_says_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setattr("pix2pix.cli.packages.find_spec", lambda name: None)
    source = tmp_path / "a.mp4"
    source.write_bytes(b"any")
    assert main(["colorize", str(source)]) == 1
    assert "pip install 'pix2pix-color[video]'" in capsys.readouterr().err
