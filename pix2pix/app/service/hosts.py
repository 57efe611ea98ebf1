"""Host and Origin checks: the service answers to its own names (against DNS rebinding).

A page on the web can have its own name resolve to 127.0.0.1 and would then read this service as if
it were its own. The browser still sends that page's name as Host.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from pix2pix.app.service.refusal import Refusal

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::(\d{1,5}))?", re.IGNORECASE)
_SAFE = ("GET", "HEAD", "OPTIONS")  # these change nothing
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Hosts:
    """The names that are answered, beside those of the loopback (localhost, 127.0.0.1, ::1)."""

    names: frozenset[str] = frozenset()
    addresses: bool = False
    """Any IP address too: no name server stands behind one."""
    any: bool = False

    @classmethod
    def of(cls, host: str, allowed: Iterable[str] = ()) -> "Hosts":
        """Names of a service bound to `host`, and `allowed` ones, where "*" lifts the check.

        Bound to all addresses (0.0.0.0, ::) it is known by any IP address; bound to others than
        the loopback, by this machine's own name too. Raises ValueError for what is no name.
        """
        allowed = list(allowed)
        names = {host.lower()}
        for name in allowed:
            known = "*" if name == "*" else _split(name)[0]
            if not known:
                raise ValueError(f"--allow-host {name}: give a name like photos.example.org, or *")
            names.add(known)
        if not _is_loopback(host.lower()):
            own = socket.gethostname().lower()
            names |= {own, f"{own.partition('.')[0]}.local"}
        return cls(frozenset(names), host in ("0.0.0.0", "::", ""), "*" in names)

    def know(self, header: str) -> bool:
        """Whether a Host header names this service, with whatever port."""
        name, _ = _split(header)
        own = name in self.names or _is_loopback(name)
        return bool(name) and (self.any or own or (self.addresses and _address(name) is not None))


def stranger(scope: Scope, headers: Headers, hosts: Hosts) -> Refusal | None:
    """A refusal of a request by another name (Host), or from another site's page (Origin); or None.

    Without a Host (HTTP/1.0) it comes from no browser, and so from no web page. Where any name is
    answered, a proxy may have changed the Host, and an Origin cannot be compared with it.
    """
    names = headers.getlist("host") + headers.getlist("x-forwarded-host")
    if not all(hosts.know(name.partition(",")[0].strip()) for name in names):
        return Refusal(421, "host", "not a name of this service; --allow-host adds one")
    origin = headers.get("origin")
    if origin is None or scope["method"] in _SAFE or hosts.any:
        return None
    if not any(same_origin(origin, name.partition(",")[0].strip()) for name in names):
        return Refusal(403, "origin", "pages of other sites may not ask this")
    return None


def same_origin(origin: str, host: str) -> bool:
    """Whether an Origin header and a Host header name the same site.

    The scheme is left aside: a proxy may speak TLS for the service. A Host without a port goes
    with any: many proxies leave it out.
    """
    try:
        parts = urlsplit(origin)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return False
    name, asked = _split(host)
    return bool(name) and name == _bare(parts.hostname or "") and asked in (None, port)


def _split(header: str) -> tuple[str, int | None]:
    """`NAME:PORT` -> the name in lower case, without brackets, and the port; "" for nonsense."""
    match = _HOST.fullmatch(header)
    if match is None:
        return "", None
    return _bare(match[1]), int(match[2]) if match[2] else None


def _bare(name: str) -> str:
    return name.lower().strip("[]").removesuffix(".")


def _is_loopback(name: str) -> bool:
    address = _address(name)
    local = name.rpartition(".")[2] == "localhost"
    return local or (address is not None and address.is_loopback)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
