"""Download a collection of the Library of Congress picture by picture, cropped, with a manifest.

Each picture is whole when it appears, and has its line in the manifest then; what has both is not
fetched again.
"""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pix2pix.download import loc, manifest
from pix2pix.download.fetch import Pace, Retry, Unavailable, get, make_bar
from pix2pix.files import replacing, sweep

if TYPE_CHECKING:
    from tqdm import tqdm


def collect(
    url: str, folder: Path, *, rights: str, limit: int | None, retry: Retry, progress: bool
) -> bool:
    """Download the pictures of a listing into an existing `folder`: all, or up to `limit` of them.

    `rights` stand in the manifest for pictures of which the listing says nothing. A picture that
    cannot be downloaded is skipped, with a line on stderr. Returns whether the folder has them all.
    Raises DataError for an error that no retry mends.
    """
    table = folder / manifest.NAME
    kept = [entry for entry in manifest.read(table) if (folder / entry.file).is_file()]
    sweep(str(folder))
    _write(table, manifest.table(kept).encode())  # no line that was cut or whose file is gone
    done = {entry.file for entry in kept}
    missing = 0
    pace = Pace(loc.PICTURE_INTERVAL, refusal=loc.REFUSAL)
    with make_bar("download", limit, shown=progress, unit="img") as bar:
        bar.update(len(done))
        if limit is not None and len(done) >= limit:
            return False
        for page in _pages(url, retry, bar):
            bar.total = page.total if limit is None else limit
            for item in page.items:
                file = f"{item.name}.jpg"
                if file in done:
                    continue
                try:
                    data = get(item.url, crop, pace=pace, retry=retry, bar=bar)
                except Unavailable as error:
                    bar.write(f"{error}; passed over", file=sys.stderr)
                    missing += 1
                    continue
                _write(folder / file, data)
                sha256 = hashlib.sha256(data).hexdigest()
                about = item.title, item.place, item.date, item.url, item.rights or rights
                manifest.append(table, manifest.Entry(file, *about, sha256))
                done.add(file)
                bar.update()
                if len(done) == limit:
                    return False
    return bool(done) and not missing


def _pages(url: str, retry: Retry, bar: tqdm) -> Iterator[loc.Page]:
    pace = Pace(loc.PAGE_INTERVAL, refusal=loc.REFUSAL)

    def read(address: str) -> loc.Page:
        return get(address, partial(loc.parse, url=address), pace=pace, retry=retry, bar=bar)

    return loc.walk(url, read)


def crop(data: bytes) -> bytes:
    """Crop a JPEG to the print in it, without the mount, at the same quality.

    Raises ValueError for what is no JPEG or not all of one.
    """
    import numpy as np
    from PIL import Image, JpegImagePlugin

    from pix2pix.download.borders import find_print

    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            assert isinstance(image, JpegImagePlugin.JpegImageFile)
            image.load()
            box = find_print(np.asarray(image.convert("L")))
            out = io.BytesIO()
            image.crop(box).save(
                out,
                "JPEG",
                qtables=image.quantization,
                subsampling=JpegImagePlugin.get_sampling(image),
                icc_profile=image.info.get("icc_profile"),
            )
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from error
    return out.getvalue()


def _write(path: Path, data: bytes) -> None:
    with replacing(path, size=len(data)) as write:
        write(data)
