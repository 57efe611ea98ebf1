"""Small files: no picture under 1 kB takes more than 200 MB or a second, whatever it claims."""

import os
from pathlib import Path

import pytest
from bad_inputs import hostile

MOST_MEGABYTES, MOST_SECONDS = 200, 1.0


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are measured one by one")
@pytest.mark.parametrize("name", hostile.FORMATS)
def test_no_picture_under_1_kb_takes_more_than_200_mb_or_a_second(name: str, tmp_path: Path):
    files = {}
    for number, (kind, data) in enumerate(hostile.FORMATS[name]()):
        if len(data) < 1024:
            path = tmp_path / str(number)
            path.write_bytes(data)
            files[path] = kind
    found = hostile.gauged(list(files))
    assert len(found) == len(files) > 0
    over = [
        (kind, *result)
        for kind, result in zip(files.values(), found, strict=True)
        if result[0] in ("untyped", "died")
        or result[1] > MOST_MEGABYTES
        or result[2] > MOST_SECONDS
    ]
    most, longest = max(mb for _, mb, _ in found), max(seconds for *_, seconds in found)
    print(f"{name}: {len(found)} files, over the bar: {len(over)}, {most:.0f} MB, {longest:.2f} s")
    assert not over
