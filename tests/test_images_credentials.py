"""Content credentials: what they say, that they hold, and what cannot sign."""

import datetime
import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pix2pix import cli, images
from pix2pix.cli import packages
from pix2pix.colorize import folders, jobs
from pix2pix.colorize.copies import PhotoCopy, color_photo, layer_photo, signed_copy
from pix2pix.images.credentials import Credentials
from pix2pix.images.metadata.provenance import MIME

c2pa = pytest.importorskip("c2pa")
x509 = pytest.importorskip("cryptography.x509")

GRAY = np.random.default_rng(0).integers(0, 65536, (40, 60), dtype=np.uint16)
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"


class Tint:
    """A model of one color."""

    name = "tint"

    def color(self, rgb: np.ndarray, wish: object) -> np.ndarray:
        return np.full_like(rgb, (200, 100, 50))

    def color16(self, rgb: np.ndarray, grays: np.ndarray, wish: object) -> np.ndarray:
        return np.dstack([grays, grays // 2, grays // 3])

    def layer(self, rgb: np.ndarray, wish: object, dtype: type) -> np.ndarray:
        return np.full(rgb.shape, 100, dtype)


def _certificate(key: Any, subject: str, signer: Any, *, root: bool) -> Any:
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    now = datetime.datetime.now(datetime.UTC)
    names = [
        x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, name),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "an archive"),
            ]
        )
        for name in (subject, "root")
    ]
    uses = dict.fromkeys(
        ["content_commitment", "key_encipherment", "data_encipherment", "key_agreement"]
        + ["encipher_only", "decipher_only"],
        False,
    ) | {"digital_signature": not root, "key_cert_sign": root, "crl_sign": root}
    public = signer.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=9))
        .add_extension(x509.BasicConstraints(ca=root, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**uses), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), False)
    )
    if not root:
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(purpose, critical=False)
    return builder.sign(signer, hashes.SHA256())


def chain(folder: Path, kind: str = "p256") -> tuple[Path, Path]:
    """A chain of certificates and the key of its first, as PEM files."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    authority = ec.generate_private_key(ec.SECP256R1())
    key: Any = {
        "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
    }[kind]()
    pem = serialization.Encoding.PEM
    certificates = [
        _certificate(key, "signer", authority, root=False),
        _certificate(authority, "root", authority, root=True),
    ]
    paths = folder / f"{kind}.pem", folder / f"{kind}-key.pem"
    paths[0].write_bytes(b"".join(found.public_bytes(pem) for found in certificates))
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(pem, form, plain))
    return paths


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return chain(tmp_path_factory.mktemp("credentials"))


@pytest.fixture(scope="module")
def credentials(files: tuple[Path, Path]) -> Credentials:
    return Credentials(*files)


def manifests(path: Path) -> dict[str, Any]:
    mime = MIME[images.EXTENSIONS[path.suffix]]
    with c2pa.Reader(mime, io.BytesIO(path.read_bytes())) as reader:
        return json.loads(reader.json())


def active(path: Path) -> dict[str, Any]:
    said = manifests(path)
    assert said["validation_state"] == "Valid", said["validation_status"]
    return said["manifests"][said["active_manifest"]]


def actions(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    (found,) = (a for a in manifest["assertions"] if a["label"].startswith("c2pa.actions"))
    return found["data"]["actions"]


def signed(source: Path, out: Path, credentials: Credentials, **options: Any) -> Path:
    make = partial(color_photo, model=Tint())
    make = partial(signed_copy, make=make, credentials=credentials)
    found = jobs.find([str(source)], out=str(out))
    (record,) = folders.make_copies(found, lambda: make, folders.FileOptions(**options))
    assert record.status == "colored" and record.output, record
    return Path(record.output)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp", "a.avif"])
@pytest.mark.parametrize("depth", [8, 16])
def test_every_format_holds_them(name: str, depth: int, tmp_path: Path, credentials: Credentials):
    deep = depth == 16 and name in ("a.png", "a.tif")
    source = tmp_path / name
    Image.fromarray(GRAY if deep else (GRAY >> 8).astype(np.uint8)).save(source)
    output = signed(source, tmp_path / "out", credentials, depth=depth)
    manifest = active(output)
    assert [action["action"] for action in actions(manifest)] == [
        "c2pa.opened",
        "c2pa.adjustedColor",
    ]
    adjusted = actions(manifest)[1]
    assert adjusted["digitalSourceType"] == IPTC + "compositeWithTrainedAlgorithmicMedia"
    assert adjusted["softwareAgent"]["name"] == "Pix2PixColor tint"
    (parent,) = manifest["ingredients"]
    assert (parent["title"], parent["relationship"]) == (name, "parentOf")
    plain = tmp_path / f"plain{source.suffix}"  # the same file but for them
    photo = images.read(source, deep=deep)
    color_photo(photo, Tint()).write(plain)
    one, other = images.read(output, deep=deep), images.read(plain, deep=deep)
    np.testing.assert_array_equal(one.rgb, other.rgb)
    assert (one.xmp, one.exif, one.dpi) == (other.xmp, other.exif, other.dpi)
    assert not deep or (one.deep is not None and (one.deep.grays == other.deep.grays).all())


def test_a_changed_pixel_shows(tmp_path: Path, credentials: Credentials):
    source = tmp_path / "a.png"
    Image.fromarray(GRAY).save(source)
    output = signed(source, tmp_path / "out", credentials)
    data = bytearray(output.read_bytes())
    data[data.index(b"IDAT") + 40] ^= 1
    output.write_bytes(data)
    assert manifests(output)["validation_state"] == "Invalid"


def test_a_layer_was_made_of_a_photo(tmp_path: Path, credentials: Credentials):
    photo = images.Photo(np.zeros((4, 5, 3), np.uint8), None, "PNG")
    source, output = tmp_path / "a.png", tmp_path / "a.color-layer.png"
    Image.fromarray(GRAY).save(source)
    made = signed_copy(photo, partial(layer_photo, model=Tint()), credentials)
    made.write(output, parent=str(source))
    (created,) = actions(active(output))
    assert created["action"] == "c2pa.created"
    assert created["digitalSourceType"] == IPTC + "trainedAlgorithmicMedia"
    assert active(output)["ingredients"][0]["relationship"] == "inputTo"


@pytest.mark.parametrize("keep_gps", [False, True])
def test_the_photos_own_are_kept_with_its_place_only(
    keep_gps: bool, tmp_path: Path, credentials: Credentials
):
    source = tmp_path / "a.png"
    Image.fromarray(GRAY).save(source)
    first = signed(source, tmp_path / "one", credentials)
    again = first.rename(tmp_path / "b.png")
    second = signed(again, tmp_path / "two", credentials, keep_gps=keep_gps)
    assert len(manifests(second)["manifests"]) == (2 if keep_gps else 1)
    assert active(second)["ingredients"][0]["title"] == "b.png"


def test_bmp_is_not_signed(tmp_path: Path, credentials: Credentials):
    photo = images.Photo(np.zeros((4, 5, 3), np.uint8), None, "BMP")
    made = signed_copy(photo, partial(color_photo, model=Tint()), credentials)
    assert any("not signed" in line for line in made.write(tmp_path / "a.bmp"))
    assert images.read(tmp_path / "a.bmp").rgb.shape == (4, 5, 3)


def test_a_failure_leaves_no_file(tmp_path: Path, credentials: Credentials):
    photo = images.Photo(np.zeros((4, 5, 3), np.uint8), None, "PNG")
    made: PhotoCopy = signed_copy(photo, partial(color_photo, model=Tint()), credentials)
    with pytest.raises(images.writing.NotEncoded, match="content credentials"):
        made.write(tmp_path / "a.png", parent=str(tmp_path / "gone.png"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["p384", "ed25519"])
def test_other_keys_sign_too(kind: str, tmp_path: Path):
    Credentials(*chain(tmp_path, kind))


@pytest.mark.parametrize("wrong", ["key of another", "nothing", "swapped", "missing"])
def test_what_cannot_sign_is_one_line(
    wrong: str, files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    certificate, key = files
    if wrong == "key of another":
        _, key = chain(tmp_path)
    elif wrong == "nothing":
        key = tmp_path / "empty.pem"
        key.write_bytes(b"")
    elif wrong == "swapped":
        certificate, key = key, certificate
    else:
        key = tmp_path / "gone.pem"
    given = [str(certificate), str(key)]
    assert cli.main(["colorize", str(tmp_path), "--c2pa", *given]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("Error: Invalid value: --c2pa: ") and "Traceback" not in said


def test_without_the_package_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    assert cli.main(["colorize", "a.jpg", "--c2pa", "cert", "key"]) == 1
    assert "pip install 'pix2pix-color[c2pa]'" in capsys.readouterr().err
