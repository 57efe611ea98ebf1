"""Content credentials: a signed statement in the file of how it was made, as C2PA has it.

By c2pa-python, the extra `c2pa`, with a certificate and a key of the user's. Nothing is fetched and
no time stamp authority asked. The signature holds the time and chance: the same photo gives other
bytes each time. Source: C2PA Technical Specification 2.2, actions v2.
"""

import io
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from PIL import Image

from pix2pix import __version__
from pix2pix.errors import NotEncoded, one_line
from pix2pix.images.formats import EXTENSIONS
from pix2pix.images.metadata import provenance
from pix2pix.images.task import TRANSLATE, Task

_SETTINGS = {
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}
_OPAQUE = "application/octet-stream"
_VALID = ("Valid", "Trusted")


class Credentials:
    """A certificate and its key, to sign copies with. Threads may share one."""

    def __init__(self, certificate: str | Path, key: str | Path):
        """Paths of PEM files: the chain of certificates, the signer's first, and its private key.

        One picture is signed to try them. Raises ModuleNotFoundError without the package, OSError
        for files that cannot be read, ValueError for what cannot sign.
        """
        import c2pa

        chain, private = Path(certificate).read_bytes(), Path(key).read_bytes()
        try:
            self._context = c2pa.Context(settings=c2pa.Settings.from_dict(_SETTINGS))
            info = c2pa.C2paSignerInfo(_algorithm(private), chain, private, None)
            self._signer = c2pa.Signer.from_info(info)
            self._try()
        except (c2pa.C2paError, NotEncoded, ValueError, TypeError) as error:
            raise ValueError(
                f"the certificate and its key cannot sign: {one_line(error)}"
            ) from error

    def seal(
        self,
        file: io.BytesIO,
        name: str,
        *,
        model: str,
        task: Task,
        title: str = "",
        parent: str | None = None,
        keep_gps: bool = False,
    ) -> io.BytesIO:
        """Sign a finished file of format `name` -> the file with its credentials.

        `parent` is the path of the photo that it was made of. Only with `keep_gps` are the photo's
        own credentials carried along, which may say where it was taken; else its hash stands for
        it. Raises NotEncoded.
        """
        import c2pa

        mime, sealed = provenance.MIME[name], io.BytesIO()
        statement = _statement(model, task, title, edited=parent is not None)
        file.seek(0)
        try:
            with (
                c2pa.Builder(statement, context=self._context) as builder,
                nullcontext() if parent is None else open(parent, "rb") as source,
            ):
                if parent is not None:
                    kind = _mime_of(parent) if keep_gps else _OPAQUE
                    builder.add_ingredient(_ingredient(parent, task), kind, source)
                builder.sign(self._signer, mime, file, sealed)
        except (c2pa.C2paError, OSError) as error:
            raise NotEncoded(f"content credentials: {one_line(error)}") from error
        return sealed

    def _try(self) -> None:
        import c2pa

        picture = io.BytesIO()
        Image.new("L", (1, 1)).save(picture, "PNG")
        sealed = self.seal(picture, "PNG", model="", task=TRANSLATE)
        with c2pa.Reader(provenance.MIME["PNG"], sealed, context=self._context) as reader:
            said = json.loads(reader.json())
        if said.get("validation_state") not in _VALID:
            codes = [status["code"] for status in said.get("validation_status", ())]
            raise ValueError(", ".join(codes) or "not valid")


def _algorithm(key: bytes) -> str:
    """The name of the signature that a private key makes. Raises ValueError and TypeError."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    private = load_pem_private_key(key, None)
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return {256: "es256", 384: "es384", 521: "es512"}[private.key_size]
    if isinstance(private, rsa.RSAPrivateKey):
        return "ps256"
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return "ed25519"
    raise ValueError("a key of a kind that C2PA does not know")


def _statement(model: str, task: Task, title: str, *, edited: bool) -> dict[str, Any]:
    """The manifest: the photo was opened and its colors changed; or a picture was made."""
    agent = {"name": provenance.system(model, task)}
    made = {"digitalSourceType": task.source_type, "softwareAgent": agent}
    if edited and _is_edited(task):
        opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["photo"]}}
        actions = [opened, {"action": "c2pa.adjustedColor", **made}]
    else:
        actions = [{"action": "c2pa.created", **made}]
        if edited:
            actions[0]["parameters"] = {"ingredientIds": ["photo"]}
    return {
        "claim_generator_info": [{"name": "Pix2PixColor", "version": __version__}],
        "title": title,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}],
    }


def _is_edited(task: Task) -> bool:
    """Whether a copy still has something of its photo."""
    return task.source_type != TRANSLATE.source_type


def _ingredient(parent: str, task: Task) -> dict[str, str]:
    relationship = "parentOf" if _is_edited(task) else "inputTo"
    name = Path(parent).name.encode(errors="replace").decode()
    return {"title": name, "label": "photo", "relationship": relationship}


def _mime_of(path: str) -> str:
    format = EXTENSIONS.get(Path(path).suffix.lower(), "")
    return provenance.MIME.get(format, "image/heic" if format == "HEIF" else _OPAQUE)
