"""Names: what is no photo, in coloring and in training, and names that would get too long."""

import os
import zipfile

import pytest
from test_colorize_folders import color, files, outcomes, photo

from pix2pix.data.cache import list_photos
from pix2pix.images import names

CLUTTER = [
    "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg",
    "@eaDir/SYNOPHOTO_THUMB_M.jpg",
    "#recycle/old.png",
    "#snapshot/a.png",
    "@Recycle/old.png",
    "$RECYCLE.BIN/S-1-5/$R1.jpg",
    "$Recycle.Bin/$R2.jpg",
    "System Volume Information/a.png",
    "lost+found/a.png",
    ".@__thumb/a.png",
    ".Trash-1000/files/a.png",
    ".Trashes/a.png",
    "__MACOSX/a.png",
    "sub/@EADIR/b.png",
    "._a.png",
    ".pix2pix-00000000.png",
    "a.color.png",
    "sub/b.color.jpg",
]


@pytest.fixture
def album(tmp_path):
    for name in ["a.png", "sub/b.jpg", "@eaDirs/c.png", "recycle/d.png", *CLUTTER]:
        photo(tmp_path / "album" / name)
    return tmp_path / "album"


def test_thumbnails_trash_and_outputs_are_no_photos_in_coloring_nor_in_training(album, tmp_path):
    wanted = ["@eaDirs/c.png", "a.png", "recycle/d.png", "sub/b.jpg"]
    assert list_photos(album) == wanted
    with zipfile.ZipFile(tmp_path / "album.zip", "w") as archive:
        for name in files(album):
            archive.write(album / name, name)
    assert list_photos(tmp_path / "album.zip") == wanted
    for source in (album, album / "**"):
        records = color(source, out=tmp_path / "out", overwrite=True)
        found = sorted(os.path.relpath(r.path, album) for r in records)
        assert found == wanted
    print(f"no photos taken for photos: 0 of {len(CLUTTER)} names x 4 ways")


def test_a_folder_of_that_kind_is_walked_when_it_is_given_itself(album):
    assert outcomes(color(album / "#recycle")) == [("old.png", "colored")]


@pytest.mark.parametrize(
    "name", ["n" * 251 + ".jpg", "n" * 251 + ".gif", "\u5199" * 83 + ".png", "e" * 255]
)
def test_a_name_too_long_for_its_output_is_cut_the_same_way_each_time(tmp_path, name):
    try:
        photo(tmp_path / name)
    except OSError:
        pytest.skip("this file system takes shorter names only")
    (record,) = color(tmp_path / name)
    assert record.status == "colored"
    output = os.path.basename(record.output)
    assert len(os.fsencode(output)) <= 255 and names.is_output(output)
    os.fsencode(output).decode()  # no character is cut in half
    assert outcomes(color(tmp_path / name)) == [(name, "skipped")]
    twin = name[:-6] + "x" + name[-5:]  # differs where the other is cut
    if len(os.fsencode(twin)) <= 255:
        assert names.output_name(twin) != output


def test_a_name_that_fits_is_not_cut():
    assert names.output_name("n" * 245 + ".jpg") == "n" * 245 + ".color.jpg"
    assert names.output_name("n" * 246 + ".jpg") != "n" * 246 + ".color.jpg"
