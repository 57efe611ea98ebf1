"""The markers of a JPEG, looked for in one pass, against bytes.find and bytes.count."""

import random

import pytest

from pix2pix.images import jpeg


@pytest.mark.parametrize("piece", [1, 2, 64, 2**20])
def test_marks_are_those_that_find_and_count_tell(piece: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jpeg, "_PIECE", piece)
    rng = random.Random(piece)
    cut = further = 0
    for _ in range(300):
        codes = rng.choices([0xFF, 0xD8, 0xD9, 0xDA, 0, 7], [4, 1, 1, 1, 3, 3], k=rng.randrange(90))
        data, start = bytes(codes), rng.randrange(6)
        found = jpeg._marks(data, start)
        second = data.find(b"\xff\xd8\xff", start)
        limit = len(data) if second < 0 else second
        assert found.further == limit
        assert (found.end >= found.further) == (data.find(b"\xff\xd9", start, limit) < 0)
        assert found.scans == data.count(b"\xff\xda", start)
        cut += found.end >= found.further
        further += second >= 0
    assert 30 < cut < 270 and 30 < further < 270
