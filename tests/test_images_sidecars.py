"""Sidecars: read for what the photo lacks, copied on request with what still holds."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from bad_inputs import pictures

from pix2pix.colorize import folders, jobs
from pix2pix.colorize.copies import color_photo
from pix2pix.images import read, sidecars, write

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
GRAY = pictures.gray()


def packet(title: str = "", more: str = "") -> bytes:
    text = f'<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>'
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"><rdf:Description '
        'rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/" '
        'xmlns:exif="http://ns.adobe.com/exif/1.0/" '
        'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
        f"{more}>{text if title else ''}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def photo_in(folder: Path, name: str = "a.jpg", **options: object) -> Path:
    path = folder / name
    path.write_bytes(pictures.encoded(GRAY, "JPEG", **options))
    return path


def colored(path: Path, **options: object) -> tuple[str, list[str]]:
    """The XMP of the copy and the warnings of a run over one photo."""

    class Tint:
        name = "tint"

        def color(self, rgb: np.ndarray, wish: object) -> np.ndarray:
            return rgb

    files, make = folders.FileOptions(**options), partial(color_photo, model=Tint())
    (record,) = folders.make_copies(jobs.find([str(path)]), lambda: make, files)
    assert record.status == "colored" and record.output is not None, record.reason
    return (read(record.output).xmp or b"").decode(), record.warnings


@pytest.mark.parametrize("name", ["a.jpg.xmp", "a.xmp", "a.XMP", "a.jpg.XMP"])
def test_what_the_photo_lacks_is_taken(tmp_path: Path, name: str):
    path = photo_in(tmp_path)
    (tmp_path / name).write_bytes(packet("Großmutter"))
    text, warnings = colored(path)
    assert "Großmutter" in text and warnings == []
    assert sorted(os.listdir(tmp_path)) == sorted(["a.jpg", name, "a.color.jpg"])


def test_where_both_speak_the_photo_is_right_and_it_is_said(tmp_path: Path):
    path = photo_in(tmp_path, xmp=packet("of the photo", 'photoshop:City="Köln"'))
    (tmp_path / "a.jpg.xmp").write_bytes(packet("of the sidecar", 'photoshop:City="Köln"'))
    text, warnings = colored(path)
    assert "of the photo" in text and "of the sidecar" not in text
    assert warnings == ["sidecar 'a.jpg.xmp' says otherwise, not taken: title"]


def test_the_more_exact_name_is_asked_first(tmp_path: Path):
    path = photo_in(tmp_path)
    (tmp_path / "a.jpg.xmp").write_bytes(packet("exact"))
    (tmp_path / "a.xmp").write_bytes(packet("loose", 'photoshop:City="Köln"'))
    text, warnings = colored(path)
    assert "exact" in text and "Köln" in text and "loose" not in text
    assert warnings == ["sidecar 'a.xmp' says otherwise, not taken: title"]


def test_that_of_a_raw_file_of_the_same_name_is_left(tmp_path: Path):
    path = photo_in(tmp_path)
    (tmp_path / "a.xmp").write_bytes(packet("raw", 'photoshop:SidecarForExtension="CR2"'))
    assert "raw<" not in colored(path)[0]
    (tmp_path / "a.xmp").write_bytes(packet("mine", 'photoshop:SidecarForExtension="JPEG"'))
    assert "mine<" in colored(path, overwrite=True)[0]


def test_places_and_settings_in_a_sidecar_stay_behind(tmp_path: Path):
    path = photo_in(tmp_path)
    more = 'exif:GPSLatitude="48,8.2N" crs:ConvertToGrayscale="True"'
    (tmp_path / "a.xmp").write_bytes(packet("t", more))
    text, _ = colored(path, copy_sidecars=True)
    copied = (tmp_path / "a.color.xmp").read_text()
    for found in (text, copied):
        assert "GPS" not in found and "ConvertToGrayscale" not in found and ">t<" in found
        assert "compositeWithTrainedAlgorithmicMedia" in found
    text, _ = colored(path, copy_sidecars=True, keep_gps=True, overwrite=True)
    assert "48,8.2N" in text and "48,8.2N" in (tmp_path / "a.color.xmp").read_text()


def test_copies_stand_beside_the_output_and_are_not_written_over(tmp_path: Path):
    path = photo_in(tmp_path)
    (tmp_path / "a.xmp").write_bytes(packet("one"))
    (tmp_path / "a.jpg.xmp").write_bytes(packet("two"))
    (tmp_path / "a.color.xmp").write_text("edited by hand")
    colored(path, copy_sidecars=True)
    assert (tmp_path / "a.color.xmp").read_text() == "edited by hand"
    assert "two" in (tmp_path / "a.color.jpg.xmp").read_text()
    colored(path, copy_sidecars=True, overwrite=True)
    assert "one" in (tmp_path / "a.color.xmp").read_text()


def test_none_is_made_up(tmp_path: Path):
    path = photo_in(tmp_path)
    (tmp_path / "b.xmp").write_bytes(packet("another's"))
    text, warnings = colored(path, copy_sidecars=True)
    assert "another" not in text and warnings == []
    assert sorted(os.listdir(tmp_path)) == ["a.color.jpg", "a.jpg", "b.xmp"]


@pytest.mark.parametrize("kind", ["pipe", "folder", "dangling", "garbage", "huge", "entity"])
def test_what_is_no_sidecar_is_named_and_the_photo_colored(tmp_path: Path, kind: str):
    path, beside = photo_in(tmp_path), tmp_path / "a.xmp"
    if kind == "pipe":
        os.mkfifo(beside)
    elif kind == "folder":
        beside.mkdir()
    elif kind == "dangling":
        beside.symlink_to("nowhere")
    elif kind == "garbage":
        beside.write_bytes(b"\x00\x01 no XML")
    elif kind == "huge":
        with beside.open("wb") as file:
            file.truncate(2**30)
    else:
        beside.write_bytes(
            b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + packet("&a;")
        )
    _, warnings = colored(path, copy_sidecars=True)
    assert any("sidecar 'a.xmp' ignored" in warning for warning in warnings), warnings
    assert not (tmp_path / "a.color.xmp").exists()


def test_a_photo_without_extension_has_no_loose_sidecar(tmp_path: Path):
    (tmp_path / "a").write_bytes(pictures.encoded(GRAY, "JPEG"))
    (tmp_path / "a.xmp").write_bytes(packet("t"))
    found = sidecars.find(str(tmp_path / "a"), warnings=[])
    assert [sidecar.whole_name for sidecar in found] == [True]


def test_a_full_disk_costs_the_sidecar_not_the_photo(tmp_path: Path, monkeypatch):
    path = photo_in(tmp_path)
    (tmp_path / "a.xmp").write_bytes(packet("t"))
    photo = read(path)
    write(photo.rgb, tmp_path / "a.color.jpg", like=photo, model="m")

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    dest = str(tmp_path / "a.color.jpg")
    warnings = sidecars.copy(str(path), dest, model="m", keep_gps=False)
    assert len(warnings) == 1 and "not copied" in warnings[0]
    assert sorted(os.listdir(tmp_path)) == ["a.color.jpg", "a.jpg", "a.xmp"]


@pytest.mark.slow
def test_the_command_has_the_option():
    command = [sys.executable, "-m", "pix2pix.cli", "colorize", "--help"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "--sidecars" in found.stdout
