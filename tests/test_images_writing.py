"""Writing and the file system: whole files or none, typed errors, odd names, no odd files read."""

import errno
import io
import os
import platform
import signal
import socket
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from bad_inputs import pictures
from PIL import Image, ImageFile

from pix2pix.errors import NoSpace, NotPermitted, PhotoError, TooLarge, UnsupportedFormat
from pix2pix.images import Photo, decoder, depth, encode, output_format, read, write, writing
from pix2pix.images.tiff import padding, structure

pytestmark = pytest.mark.filterwarnings("error")

GRAY = pictures.gray()
RGB = pictures.rgb()
LIKE = read(pictures.encoded(RGB, "JPEG"))


def code(source: object) -> str:
    start = time.perf_counter()
    with pytest.raises(PhotoError) as caught:
        read(source)
    assert time.perf_counter() - start < 1
    assert caught.value.path == str(source)
    return caught.value.code


# Formats ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "expected"),
    [
        ("JPEG", ("JPEG", ".jpg")),
        ("PNG", ("PNG", ".png")),
        ("TIFF", ("TIFF", ".tif")),
        ("WEBP", ("WEBP", ".webp")),
        ("BMP", ("BMP", ".bmp")),
        ("AVIF", ("AVIF", ".avif")),
        ("GIF", ("PNG", ".png")),
        ("HEIF", ("JPEG", ".jpg")),
    ],
)
def test_a_copy_has_the_photos_format_where_color_fits(format: str, expected: tuple[str, str]):
    assert output_format(Photo(RGB, None, format)) == expected


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP", "BMP", "AVIF", "GIF"])
def test_round_trip_through_a_file(format: str, tmp_path: Path):
    photo = read(pictures.encoded(RGB, format))
    path = tmp_path / ("copy" + output_format(photo)[1])
    write(photo.rgb, path, like=photo, model="test")
    copy = read(path)
    assert copy.format == output_format(photo)[0]
    limit = {"JPEG": 4, "WEBP": 4, "AVIF": 4}.get(format, 0)
    assert np.abs(copy.rgb.astype(int) - photo.rgb).mean() <= limit
    assert os.listdir(tmp_path) == [path.name]


def test_the_name_decides_the_format_unless_one_is_given(tmp_path: Path):
    write(RGB, tmp_path / "a.png", like=LIKE, model="test")
    write(RGB, tmp_path / "b.png", like=LIKE, model="test", format="tif")
    write(RGB, tmp_path / "c", like=LIKE, model="test")
    formats = [read(tmp_path / name).format for name in ("a.png", "b.png", "c")]
    assert formats == ["PNG", "TIFF", "JPEG"]


def test_into_a_stream():
    stream = io.BytesIO()
    write(RGB, stream, like=LIKE, model="test")
    assert stream.getvalue() == encode(RGB, like=LIKE, model="test")


def test_a_file_object_is_read_like_a_file():
    data = pictures.encoded(RGB, "PNG")
    assert (read(io.BytesIO(data)).rgb == RGB).all()


@pytest.mark.parametrize("quality", [30, 75, 92, 97])
def test_jpeg_quality_is_the_inputs_and_at_least_92(quality: int):
    photo = read(pictures.encoded(RGB, "JPEG", quality=quality))
    assert photo.encoding["quality"] == quality
    copy = read(encode(photo.rgb, like=photo, model="test"))
    assert copy.encoding["quality"] == max(92, quality)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_jpeg_subsampling_is_the_inputs(subsampling: int):
    photo = read(pictures.encoded(RGB, "JPEG", subsampling=subsampling))
    copy = read(encode(photo.rgb, like=photo, model="test"))
    assert copy.encoding["subsampling"] == subsampling


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_tiff_compression_is_the_inputs(compression: str):
    photo = read(pictures.encoded(RGB, "TIFF", compression=compression))
    copy = read(encode(photo.rgb, like=photo, model="test"))
    assert copy.encoding["compression"] == compression and (copy.rgb == RGB).all()


_ENCODE = """
import hashlib, numpy as np
from pix2pix.images import Photo, encode, read

grain = np.random.default_rng(0).normal(128, 20, (203, 301, 4)).clip(0, 255).astype(np.uint8)
rgb, alpha = grain[..., :3].copy(), grain[..., 3].copy()
for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
    for rows in range(195, 203):
        for mask in (None, alpha[:rows]):
            encoding = {"compression": compression}
            like = Photo(rgb[:rows], mask, "TIFF", profiled=True, dpi=(300, 300), encoding=encoding)
            data = encode(like.rgb, like=like, model="test")
            assert compression == "jpeg" or (read(data).rgb == like.rgb).all()
            print(compression, rows, mask is None, len(data), hashlib.sha256(data).hexdigest())
for format in ("PNG", "JPEG", "WEBP", "AVIF", "BMP"):
    data = encode(rgb, like=Photo(rgb, None, format, profiled=True), model="test")
    print(format, len(data), hashlib.sha256(data).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc fills memory as asked")
def test_the_bytes_are_the_same_whatever_was_in_memory():
    # with this number: what is zero is not so by chance
    runs = [
        subprocess.run(
            [sys.executable, "-c", _ENCODE],
            env=os.environ | {"MALLOC_PERTURB_": number},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        for number in ("85", "170")
    ]
    assert len(runs[0]) == 85 and runs[0] == runs[1]


def test_padding_is_cleared_and_nothing_else():
    pads = 0
    for width in range(60, 68):
        whole = pictures.encoded(pictures.rgb(width), "TIFF", compression="tiff_lzw")
        head = structure.header(whole)
        places = structure.directory(whole, head, head.first, {273, 279})
        end = int(places[273][-1] + places[279][-1])
        pad = head.first - end
        file = io.BytesIO(whole[:end] + b"\xff" * pad + whole[head.first :])
        padding.clear(file)
        assert file.getvalue() == whole  # of a small file, whose memory Pillow has cleared
        pads += pad
    assert pads


def test_jpeg_in_tiff_stays_so():
    photo = read(pictures.encoded(RGB, "TIFF", compression="jpeg", quality=95))
    copy = read(encode(photo.rgb, like=photo, model="test"))
    assert copy.encoding["compression"] == "jpeg"
    assert np.abs(copy.rgb.astype(int) - RGB).mean() < 4


@pytest.mark.parametrize("lossless", [True, False])
def test_webp_stays_lossless_or_lossy(lossless: bool):
    photo = read(pictures.encoded(RGB, "WEBP", lossless=lossless))
    copy = read(encode(photo.rgb, like=photo, model="test"))
    assert (copy.rgb == photo.rgb).all() == lossless


def test_what_cannot_be_written_is_refused():
    with pytest.raises(UnsupportedFormat, match="GIF"):
        encode(RGB, like=LIKE, model="test", format="GIF")
    with pytest.raises(TooLarge, match="65,500"):
        encode(np.zeros((1, 65_501, 3), np.uint8), like=LIKE, model="test")
    with pytest.raises(TooLarge, match="32,768"):  # libavif writes longer ones, and reads none
        encode(np.zeros((1, 32_769, 3), np.uint8), like=LIKE, model="test", format="AVIF")
    with pytest.raises(ValueError, match="uint8"):
        encode(RGB.astype(np.float32), like=LIKE, model="test")
    with pytest.raises(ValueError, match="alpha"):
        encode(RGB, like=Photo(RGB, np.zeros((3, 3), np.uint8), "PNG"), model="test")


@pytest.mark.parametrize(
    "module, step", [(decoder, "_open"), (depth, "_of_gray"), (writing, "_save")]
)
def test_too_little_memory_is_the_machines_fault(monkeypatch, module, step: str):
    def fail(*args: object) -> None:
        raise MemoryError

    data = pictures.encoded(GRAY.astype(np.uint16) * 257, "PNG")
    monkeypatch.setattr(module, step, fail)
    with pytest.raises(TooLarge, match="not enough memory") as caught:
        encode(read(data, deep=True).rgb, like=LIKE, model="test")
    assert caught.value.again


def test_too_little_memory_for_what_there_is_of_a_photo_is_no_cut(monkeypatch):
    def fail(image: Image.Image) -> None:
        raise MemoryError

    data = pictures.encoded(RGB, "JPEG")
    cut = data[: len(data) // 2]
    monkeypatch.setattr(decoder.guard, "load_what_there_is", fail)
    with pytest.raises(TooLarge, match="not enough memory") as caught:
        read(cut, allow_truncated=True)
    assert caught.value.again


# Atomic writes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["write", "fsync", "open", "replace"])
def test_a_full_disk_leaves_nothing(monkeypatch, tmp_path: Path, call: str, number: int):
    def full(*args: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    target = tmp_path / "out.jpg"
    target.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(NoSpace) as caught:
            write(RGB, target, like=LIKE, model="test")
    assert caught.value.path == str(target)
    assert os.listdir(tmp_path) == ["out.jpg"] and target.read_bytes() == b"old"


def test_a_disk_that_takes_half_of_every_write_gets_it_all(monkeypatch, tmp_path: Path):
    original = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: original(fd, data[: len(data) // 2 + 1]))
    write(RGB, tmp_path / "out.jpg", like=LIKE, model="test")
    assert (tmp_path / "out.jpg").read_bytes() == encode(RGB, like=LIKE, model="test")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_folder_that_refuses_is_permission(monkeypatch, tmp_path: Path, number: int):
    def refuse(*args: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(NotPermitted):
        write(RGB, tmp_path / "out.jpg", like=LIKE, model="test")
    assert os.listdir(tmp_path) == []


def test_a_read_only_folder(tmp_path: Path):
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere; the case above stands in")
    tmp_path.chmod(0o500)
    with pytest.raises(NotPermitted):
        write(RGB, tmp_path / "out.jpg", like=LIKE, model="test")


def test_a_missing_folder_and_a_folder_in_the_way(tmp_path: Path):
    with pytest.raises(NotPermitted):
        write(RGB, tmp_path / "none" / "out.jpg", like=LIKE, model="test")
    (tmp_path / "out.jpg").mkdir()
    with pytest.raises(NotPermitted):
        write(RGB, tmp_path / "out.jpg", like=LIKE, model="test")
    assert os.listdir(tmp_path) == ["out.jpg"]


def test_file_mode_obeys_the_umask(tmp_path: Path):
    before = os.umask(0o027)
    try:
        write(RGB, tmp_path / "out.jpg", like=LIKE, model="test")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.jpg").stat().st_mode) == 0o640


def test_data_and_folder_are_synced_before_and_after_the_replace(monkeypatch, tmp_path: Path):
    calls = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)

        def spy(*args, name=name, original=original):
            calls.append(name)
            return original(*args)

        monkeypatch.setattr(os, name, spy)
    write(RGB, tmp_path / "out.jpg", like=LIKE, model="test")
    assert calls == ["fsync", "replace", "fsync"]


WRITER = """
import sys
from pix2pix.images import read, write
photo = read(sys.argv[1])
while True:
    write(photo.rgb, sys.argv[2], like=photo, model="test")
    print("written", flush=True)
"""


@pytest.mark.slow
def test_killed_while_writing_leaves_whole_files(tmp_path: Path):
    source, target = tmp_path / "in.png", tmp_path / "out" / "out.png"
    target.parent.mkdir()
    source.write_bytes(pictures.encoded(pictures.rgb(700, 500), "PNG"))
    for wait in (0.0, 0.013, 0.037, 0.061, 0.083):
        command = [sys.executable, "-c", WRITER, str(source), str(target)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdout.readline() == b"written\n"
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
        assert read(target).rgb.shape == (500, 700, 3)
    leftovers = [name for name in os.listdir(target.parent) if name != "out.png"]
    assert all(name.startswith(".pix2pix-") for name in leftovers)  # hidden, never a photo


# Names -----------------------------------------------------------------------------------------

NAMES = {
    "newline": b"a\nb.jpg",
    "tab": b"a\tb.jpg",
    "quote": b"a'\"b.jpg",
    "shell": b";$(id)`id`|&.jpg",
    "glob": b"*[x]?.jpg",
    "RTL override": "a\u202egpj.exe.jpg".encode(),
    "NFD": "e\u0301te\u0301.jpg".encode(),
    "CJK": "写真家.jpg".encode(),
    "240 characters": b"x" * 240 + b".jpg",
    "255 bytes": b"x" * 251 + b".jpg",
    "not UTF-8": b"\xff\xfe\x80.jpg",
    "dash": b"-o.jpg",
    "spaces": b" .jpg",
}


@pytest.mark.parametrize("name", NAMES)
def test_odd_names(name: str, tmp_path: Path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + NAMES[name]))
    path.write_bytes(pictures.encoded(RGB, "JPEG"))
    photo = read(path)
    write(photo.rgb, path, like=photo, model="test")  # in its own place, the longest temporary name
    assert read(str(path)).format == "JPEG"


# What is no regular file ------------------------------------------------------------------------


def test_named_pipe_is_unreadable_at_once(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert code(tmp_path / "pipe.jpg") == "unreadable"


def test_odd_files_are_not_even_opened(tmp_path: Path, monkeypatch):
    """Opening a tape rewinds it, opening a pipe wakes its writer."""
    os.mkfifo(tmp_path / "pipe.jpg")
    monkeypatch.setattr(os, "open", lambda *args: pytest.fail("opened"))
    assert code(tmp_path / "pipe.jpg") == "unreadable"


def test_a_pipe_put_in_a_files_place_at_the_last_moment(tmp_path: Path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "file.jpg").write_bytes(pictures.encoded(RGB, "JPEG"))
    original = os.stat
    monkeypatch.setattr(os, "stat", lambda *args, **options: original(tmp_path / "file.jpg"))
    with pytest.raises(PhotoError) as caught:
        read(tmp_path / "pipe.jpg")
    assert caught.value.code == "unreadable"


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/tty"])
def test_device_is_unreadable(device: str):
    if not os.path.exists(device):
        pytest.skip(f"no {device} here")
    assert code(Path(device)) == "unreadable"


def test_socket_is_unreadable(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's name has at most 107 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s.jpg")
        assert code(Path("s.jpg")) == "unreadable"


def test_folder_missing_and_nul_are_unreadable(tmp_path: Path):
    (tmp_path / "x.png").mkdir()
    assert code(tmp_path / "x.png") == "unreadable"
    assert code(tmp_path / "none.jpg") == "unreadable"
    assert code("a\0b.jpg") == "unreadable"
    assert code(tmp_path / ("x" * 300)) == "unreadable"


def test_symlinks(tmp_path: Path):
    (tmp_path / "real.jpg").write_bytes(pictures.encoded(RGB, "JPEG"))
    (tmp_path / "link.jpg").symlink_to("real.jpg")
    (tmp_path / "dangling.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    assert read(tmp_path / "link.jpg").format == "JPEG"
    assert code(tmp_path / "dangling.jpg") == "unreadable"
    assert code(tmp_path / "loop.jpg") == "unreadable"


def test_mode_000_is_permission(tmp_path: Path, monkeypatch):
    path = tmp_path / "secret.jpg"
    path.write_bytes(pictures.encoded(RGB, "JPEG"))
    path.chmod(0)
    if os.geteuid() == 0:  # root reads anything: refuse in the kernel's place

        def refuse(*args: object, **options: object) -> int:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr(os, "open", refuse)
    assert code(path) == "permission"


def test_a_file_that_shrinks_while_it_is_read_is_unreadable(tmp_path: Path, monkeypatch):
    path = tmp_path / "shrinking.jpg"
    path.write_bytes(pictures.encoded(RGB, "JPEG"))
    original = os.fstat

    def shrink(descriptor: int) -> os.stat_result:
        status = original(descriptor)
        os.truncate(path, 100)
        return status

    monkeypatch.setattr(os, "fstat", shrink)
    assert code(path) == "unreadable"


def test_a_file_deleted_while_it_is_read_is_unreadable_or_whole(tmp_path: Path, monkeypatch):
    path = tmp_path / "going.jpg"
    path.write_bytes(pictures.encoded(RGB, "JPEG"))
    original = os.open

    def delete(name: str, *args: int) -> int:
        os.unlink(path)
        return original(name, *args)

    monkeypatch.setattr(os, "open", delete)
    assert code(path) == "unreadable"


def test_lenient_reads_do_not_soften_others_at_the_same_time():
    """Pillow's switch for truncated files is process-wide; the request is one call's."""
    data = pictures.encoded(pictures.rgb(300, 200), "PNG")
    cut = data[: len(data) // 2]

    def attempt(number: int) -> str:
        try:
            read(cut, allow_truncated=number % 2 == 0)
        except PhotoError as error:
            return error.code
        return "OK"

    limit = Image.MAX_IMAGE_PIXELS
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(attempt, range(60)))
    assert found == ["OK", "truncated"] * 30
    assert not ImageFile.LOAD_TRUNCATED_IMAGES and limit == Image.MAX_IMAGE_PIXELS


def test_photos_are_decoded_in_parallel(monkeypatch):
    """No decoding happens while Pillow's process-wide switches are held."""
    held = []
    original = ImageFile.ImageFile.load

    def spy(self):
        if self.tile:  # something is left to decode
            held.append(Image.MAX_IMAGE_PIXELS is None)
        return original(self)

    monkeypatch.setattr(ImageFile.ImageFile, "load", spy)
    for format in ("PNG", "JPEG", "TIFF"):
        read(pictures.encoded(RGB, format))
    assert held == [False] * 3


def test_importing_costs_no_torch():
    command = "import sys, pix2pix.images; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert found.stdout == "False\n"
