"""Addresses: URLs such as `s3://bucket/scans/` apart from paths, shown without what is secret."""

import os
import re
from collections.abc import Iterable

_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]+"  # two letters at least: C:// is a drive
_URL = re.compile(rf"(?:{_SCHEME}::)*{_SCHEME}://")
_ADDRESS = re.compile(r"(.*?://)(.*)", re.DOTALL)
_WITHOUT_HOST = re.compile(r"(?:memory|zip|tar|libarchive)://$")
_LOCAL = re.compile(r"(?:file|local)://", re.IGNORECASE)
_EXTENSION = re.compile(r"[^/]\.[A-Za-z][A-Za-z0-9]{0,4}$")
_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):[^/\s]*@")
_QUERY = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s?'\"]*)\?[^\s'\"]*")
_TOKENS = re.compile(  # signatures and keys, wherever they stand
    r"(?i)\b(?:(?:AKIA|ASIA)[A-Z0-9]{12,}|Bearer\s+\S+|"
    r"((?:X-Amz-(?:Signature|Credential|Security-Token)|AWSAccessKeyId|Signature|sig|"
    r"(?:access_|refresh_)?token|AccountKey|SharedAccessSignature|password|secret)=)[^\s&;'\"]+)"
)
_SECRET_NAMES = re.compile(r"SECRET|PASSWORD|TOKEN|ACCESS_KEY|ACCOUNT_KEY|CONNECTION_STRING|SAS_")
_SHORTEST = 6  # characters of a secret; shorter ones would be found in any word


def is_url(path: str) -> bool:
    """Whether a path of the command line is an address: `s3://...`, `zip://...::...`."""
    return _URL.match(path) is not None


def names_many(address: str) -> bool:
    """Whether a URL is that of a folder or a glob by its looks: without a file's extension."""
    head = address.partition("::")[0] if "://" in address.partition("::")[0] else address
    return _EXTENSION.search(head) is None or any(sign in head for sign in "*?[")


def split(address: str) -> tuple[str, str]:
    """`s3://bucket/a/b.jpg` -> `s3://bucket/a/`, `b.jpg`; without a name: the address, "".

    Of chained addresses it is the first part: `zip://a/b.jpg::c.zip` -> `zip://a/::c.zip`, `b.jpg`.
    """
    head, chain, tail = address.partition("::")
    if "://" not in head:  # simplecache::s3://bucket/b.jpg
        head, chain, tail = address, "", ""
    found = _ADDRESS.fullmatch(head)
    if found is None:
        return address, ""
    scheme, path = found.groups()
    folder, slash, name = path.rpartition("/")
    if not slash and not _WITHOUT_HOST.search(scheme):
        return address, ""
    return f"{scheme}{folder}{slash}{chain}{tail}", name


def local_path(address: str) -> str | None:
    """The path that an address means where that is one of this machine, else None."""
    if not is_url(address):
        return address
    local = _LOCAL.match(address)
    return None if local is None or "::" in address else address[local.end() :]


def shown(address: str) -> str:
    """The address without passwords: `sftp://user:secret@host/` -> `sftp://user@host/`."""
    return _PASSWORD.sub(r"\1@", address)


def scrubbed(text: str, secrets: Iterable[str] = ()) -> str:
    """A library's words without passwords, keys and signatures.

    `secrets` are taken out as they are, and so are those that the environment holds.
    """
    named = [value for name, value in os.environ.items() if _SECRET_NAMES.search(name.upper())]
    for secret in sorted({*named, *secrets}, key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, "***")
    return _TOKENS.sub(r"\1***", _QUERY.sub(r"\1?***", shown(text)))
