"""The layouts of the archives, and the manifest that goes with their pictures."""

import csv
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_download import pack, picture, serve, tar

import pix2pix.download as package
from pix2pix.data.cache import list_photos
from pix2pix.download import SOURCES, download, manifest
from pix2pix.download.layouts import CIFAR10_CLASSES
from pix2pix.errors import DataError

NOISE = np.random.default_rng(1)


@pytest.fixture
def serve_as(monkeypatch):
    """Serve an archive in place of a source's own, and return where."""
    monkeypatch.setattr(package, "MARGIN", 0)
    with serve() as state:

        def put(name, data):
            state.data = data
            md5 = hashlib.md5(data).hexdigest()
            own = {"url": state.url, "size": len(data), "unpacked": len(data)}
            own |= {"md5": md5, "md5_bytes": None}
            monkeypatch.setitem(SOURCES, name, replace(SOURCES[name], **own))
            return state

        yield put


def get(name, dest):
    return download(name, dest, backoff=0.001, timeout=5)


def read_manifest(folder):
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


TINY = {f"tiny-imagenet-200/train/n01/images/n01_{i}.JPEG": picture() for i in range(2)}
TINY |= {f"tiny-imagenet-200/train/n02/images/n02_{i}.JPEG": picture() for i in range(2)}
TINY |= {f"tiny-imagenet-200/val/images/val_{i}.JPEG": picture() for i in range(2)}
OTHERS = {
    "tiny-imagenet-200/wnids.txt": b"n01\nn02\n",
    "tiny-imagenet-200/train/n01/n01_boxes.txt": b"n01_0.JPEG\t0\t0\t63\t63\n",
    "tiny-imagenet-200/train/n01/images/.n01_9.JPEG": picture(),
    "tiny-imagenet-200/train/n01/images/notes.txt": b"",
    "tiny-imagenet-200/val/images/notes.txt": b"",
    "tiny-imagenet-200/test/images/test_0.JPEG": picture(),
}
ANNOTATIONS = "tiny-imagenet-200/val/val_annotations.txt"
CLASSES = b"val_0.JPEG\tn02\t0\t32\t44\t62\nval_1.JPEG\tn01\t52\t55\t57\t59\n"


@pytest.mark.parametrize("late", [False, True])
def test_tiny_imagenet_has_a_folder_a_class(serve_as, tmp_path, late):
    """As https://github.com/ContinualAI/avalanche reads it: WNIDs of val by their annotations."""
    members = {ANNOTATIONS: CLASSES, **TINY, **OTHERS}
    if late:
        members = {**TINY, **OTHERS, ANNOTATIONS: CLASSES}
    serve_as("tiny_imagenet", pack(members))
    folder = get("tiny_imagenet", tmp_path)
    root = "tiny-imagenet-200/"
    expected = {
        f"train/n0{c}/n0{c}_{i}.JPEG": TINY[f"{root}train/n0{c}/images/n0{c}_{i}.JPEG"]
        for c in (1, 2)
        for i in range(2)
    }
    expected["val/n02/val_0.JPEG"] = TINY[f"{root}val/images/val_0.JPEG"]
    expected["val/n01/val_1.JPEG"] = TINY[f"{root}val/images/val_1.JPEG"]
    assert {name: (folder / name).read_bytes() for name in list_photos(folder)} == expected
    files = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert files == {*expected, "manifest.csv", ".pix2pix.json"}


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        (b"val_0.JPEG\tn02\n", "broken.*does not name val_1.JPEG"),
        (b"val_0.JPEG\t../../out\nval_1.JPEG\tn01\n", "broken.*points out of the archive"),
        (b"\xff\xfe", "broken.*does not name val_0.JPEG"),
    ],
)
def test_tiny_imagenet_with_other_annotations(serve_as, tmp_path, annotations, message):
    serve_as("tiny_imagenet", pack({**TINY, ANNOTATIONS: annotations}))
    with pytest.raises(DataError, match=message):
        get("tiny_imagenet", tmp_path / "a")
    assert not list(tmp_path.rglob("*.JPEG"))


def batch(rows):
    """Rows (label, rgb (32, 32, 3)) as the binary version has them, written pixel by pixel."""
    out = bytearray()
    for label, rgb in rows:
        out.append(label)
        for channel in range(3):
            for y in range(32):
                out += bytes(int(rgb[y, x, channel]) for x in range(32))
    return bytes(out)


def make_rows(count):
    return [(i % 10, NOISE.integers(0, 256, (32, 32, 3), dtype=np.uint8)) for i in range(count)]


CIFAR = {f"data_batch_{i}.bin": make_rows(3) for i in range(1, 6)}
CIFAR["test_batch.bin"] = make_rows(2)


def make_cifar(**changes):
    batches = {name: batch(rows) for name, rows in CIFAR.items()} | changes
    members = {f"cifar-10-batches-bin/{name}": data for name, data in batches.items()}
    members |= {"cifar-10-batches-bin/batches.meta.txt": b"airplane\n", "data_batch_1.bin": b"x"}
    return tar(members)


def test_cifar10_is_written_as_pngs(serve_as, tmp_path):
    serve_as("cifar10", make_cifar())
    folder = get("cifar10", tmp_path)
    train = [row for i in range(1, 6) for row in CIFAR[f"data_batch_{i}.bin"]]
    expected = {}
    for split, rows in {"train": train, "test": CIFAR["test_batch.bin"]}.items():
        for number, (label, rgb) in enumerate(rows):
            expected[f"{split}/{CIFAR10_CLASSES[label]}/{number:05d}.png"] = rgb
    assert sorted(expected) == list_photos(folder)
    for name, rgb in expected.items():
        with Image.open(folder / name) as image:
            assert image.mode == "RGB" and (np.asarray(image) == rgb).all()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bytes(3072), "3,072 bytes are no rows of 3,073"),
        (b"", "0 bytes are no rows of 3,073"),
        (b"\x0a" + bytes(3072), "10 is no label"),
    ],
)
def test_cifar10_with_other_batches(serve_as, tmp_path, data, message):
    serve_as("cifar10", make_cifar(**{"data_batch_3.bin": data}))
    with pytest.raises(DataError, match=f"broken, and removed: data_batch_3.bin: {message}"):
        get("cifar10", tmp_path)
    assert not (tmp_path / "cifar10").exists()


def test_nothing_is_ever_unpickled():
    """The archive of pickles is another one, and no file of the package reads pickles."""
    assert "python" not in SOURCES["cifar10"].url
    for path in Path(package.__file__).parent.glob("*.py"):
        assert "import pickle" not in path.read_text()


def test_flowers_are_taken_as_they_are(serve_as, tmp_path):
    flowers = {f"jpg/image_{i:05d}.jpg": picture() for i in range(1, 4)}
    serve_as("flowers", tar(flowers))
    folder = get("flowers", tmp_path)
    names = list_photos(folder)
    assert {f"jpg/{name}": (folder / name).read_bytes() for name in names} == flowers


@pytest.mark.parametrize("name", ["facades", "maps", "edges2shoes"])
def test_pairs_of_the_paper_are_taken_as_they_are(serve_as, tmp_path, name):
    pairs = {f"{name}/{split}/{i}.jpg": picture() for split in ("train", "val") for i in (1, 2)}
    serve_as(name, tar({f"./{path}": data for path, data in pairs.items()}))
    folder = get(name, tmp_path)
    names = list_photos(folder)
    assert {f"{name}/{each}": (folder / each).read_bytes() for each in names} == pairs


MAKE = {
    "imagenette": lambda: tar({"imagenette2-320/train/n01/a.JPEG": picture()}),
    "coco": lambda: tar({"coco_sample/train_sample/a.jpg": picture()}),
    "coco2017": lambda: pack({"train2017/000000000009.jpg": picture()}),
    "tiny_imagenet": lambda: pack({**TINY, ANNOTATIONS: CLASSES}),
    "cifar10": make_cifar,
    "flowers": lambda: tar({"jpg/a.jpg": picture()}),
    "facades": lambda: tar({"facades/train/1.jpg": picture(), "facades/val/1.jpg": picture()}),
    "maps": lambda: tar({"maps/train/1.jpg": picture()}),
    "edges2shoes": lambda: tar({"edges2shoes/train/1_AB.jpg": picture()}),
}


@pytest.mark.parametrize("name", [n for n, s in SOURCES.items() if isinstance(s, package.Source)])
def test_every_archive_has_a_manifest(serve_as, tmp_path, name):
    terms = SOURCES[name].terms
    server = serve_as(name, MAKE[name]())
    (record,) = read_manifest(get(name, tmp_path))
    assert record == {
        "file": "set.tgz",
        "title": name,
        "place": "",
        "date": "",
        "origin": server.url,
        "rights": terms,
        "sha256": hashlib.sha256(server.data).hexdigest(),
    }


def test_a_manifest_comes_back_without_what_was_written_half(tmp_path):
    title = 'The "castle",\r\nBöhmen'
    records = [manifest.Entry(f"{i}.jpg", title, "", "1890", "", "", f"{i:064x}") for i in (1, 2)]
    table = tmp_path / "manifest.csv"
    assert manifest.read(table) == []
    table.write_bytes(manifest.table(records[:1]).encode())
    manifest.append(table, records[1])
    assert manifest.is_one(table) and manifest.read(table) == records
    with table.open("a") as file:
        file.write("half,a line")
    manifest.append(table, records[0])  # joins the half line
    assert manifest.read(table) == records


def test_the_sha256_is_of_all_bytes_where_the_md5_is_not(serve_as, tmp_path, monkeypatch):
    server = serve_as("coco", MAKE["coco"]())
    first = hashlib.md5(server.data[:100]).hexdigest()
    monkeypatch.setitem(SOURCES, "coco", replace(SOURCES["coco"], md5=first, md5_bytes=100))
    (record,) = read_manifest(get("coco", tmp_path))
    assert record["sha256"] == hashlib.sha256(server.data).hexdigest()


def test_a_redirect_is_followed(serve_as, tmp_path):
    server = serve_as("flowers", MAKE["flowers"]())
    server.statuses, server.headers = [302], {"Location": server.url}
    folder = download("flowers", tmp_path, backoff=0.001, retries=0)
    assert (len(list_photos(folder)), len(server.asked)) == (1, 2)


def test_an_archive_takes_no_limit(tmp_path):
    for name, limit in (("coco", 3), ("photochrom", 0)):
        with pytest.raises(DataError, match=f"^{name}: a limit of {limit}: .*only to photochrom$"):
            download(name, tmp_path, limit=limit)
    assert not any(tmp_path.iterdir())
