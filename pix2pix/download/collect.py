"""A collection of the Library of Congress, picture by picture: fetched, cropped, put on record.

Each picture is whole when it appears, and has its line in the manifest then; what has both is not
fetched again.
"""

import hashlib
import io
import sys
from pathlib import Path
from typing import Any

from pix2pix.download import loc, manifest
from pix2pix.download.fetch import Pace, Unavailable, get, make_bar
from pix2pix.files import replacing, sweep


def collect(
    url: str,
    folder: Path,
    *,
    rights: str,
    limit: int | None,
    retries: int,
    timeout: float,
    backoff: float,
    progress: bool,
) -> bool:
    """Fill `folder`, which is there, with the pictures of a listing: all, or up to `limit` of them.

    `rights` stand in the manifest for pictures of which the listing says nothing. A picture that is
    not to be had is passed over, with a line on stderr. Returns whether the folder has them all.
    Raises DataError for an error that no retry mends.
    """
    table = folder / manifest.NAME
    kept = [record for record in manifest.read(table) if (folder / record.file).is_file()]
    sweep(str(folder))
    _write(table, manifest.table(kept).encode())  # no line that was cut or whose file is gone
    done = {record.file for record in kept}
    missing = 0
    patience: dict[str, Any] = {"retries": retries, "timeout": timeout, "backoff": backoff}
    page_pace, picture_pace = Pace(loc.PAGE_INTERVAL), Pace(loc.PICTURE_INTERVAL)
    with make_bar("download", limit, shown=progress, unit="img") as bar:
        patience |= {"refusal": loc.REFUSAL, "bar": bar}

        def read(address: str) -> loc.Page:
            def parse(data: bytes) -> loc.Page:
                return loc.parse(data, address)

            return get(address, parse, pace=page_pace, **patience)

        bar.update(len(done))
        if limit is not None and len(done) >= limit:
            return False
        for page in loc.walk(url, read):
            bar.total = page.total if limit is None else limit
            for item in page.items:
                file = f"{item.name}.jpg"
                if file in done:
                    continue
                try:
                    data = get(item.url, crop, pace=picture_pace, **patience)
                except Unavailable as error:
                    bar.write(f"{error}; passed over", file=sys.stderr)
                    missing += 1
                    continue
                _write(folder / file, data)
                record = manifest.Record(
                    file=file,
                    title=item.title,
                    place=item.place,
                    date=item.date,
                    origin=item.url,
                    rights=item.rights or rights,
                    sha256=hashlib.sha256(data).hexdigest(),
                )
                manifest.append(table, record)
                done.add(file)
                bar.update()
                if len(done) == limit:
                    return False
    return bool(done) and not missing


def crop(data: bytes) -> bytes:
    """A JPEG -> a JPEG of the print in it, without the mount, compressed as much as it was.

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
