"""The old photographs: small, gray, and each named with its author and rights."""

import re

import pytest
from PIL import Image
from places import ROOT

FOLDER = ROOT / "resources" / "old"
PHOTOS = sorted(path for path in FOLDER.iterdir() if path.suffix != ".md")


def test_there_are_two() -> None:
    assert len(PHOTOS) == 2


@pytest.mark.parametrize("path", PHOTOS, ids=lambda path: path.name)
def test_it_is_small_gray_and_credited(path) -> None:
    assert path.stat().st_size <= 150_000
    assert Image.open(path).mode == "L"
    row = next(r for r in (FOLDER / "README.md").read_text().splitlines() if f"]({path.name})" in r)
    author, rights, source = (cell.strip() for cell in row.split("|")[3:6])
    assert len(author) > 10 and "PyPI" in source
    assert re.search("public domain|no known restrictions", rights)
