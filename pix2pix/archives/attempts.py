"""Attempts: requests again after a while where a store is busy; refusals as typed errors."""

import asyncio
import errno
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from pix2pix.archives.addresses import scrubbed
from pix2pix.errors import NoSpace, NotPermitted, PhotoError, Unreadable, one_line
from pix2pix.files import BUSY, PASSING

T = TypeVar("T")
TRIES = 5
_FIRST, _LONGEST = 0.5, 20.0  # [s] that a wait is at most: the first, and any
_BUSY = {408, 409, 425, 429, 500, 502, 503, 504}  # HTTP; 409: another put of the key is under way
_DENIED = {401, 403}
_FULL = {errno.ENOSPC, errno.EDQUOT}
# By name, since their packages are not loaded for it: botocore's, aiohttp's, Azure's, paramiko's.
_BUSY_NAMES = {
    *("HTTPClientError", "IncompleteReadError", "ResponseStreamingError", "ClientConnectionError"),
    *("ClientPayloadError", "ServiceRequestError", "ServiceResponseError", "SSHException"),
    *("FSTimeoutError", "ChunkedEncodingError", "ChecksumError"),
}
_DENIED_NAMES = {
    *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenError"),
    *("DefaultCredentialsError", "RefreshError", "ClientAuthenticationError"),
    *("AuthenticationException", "BadHostKeyException", "ProfileNotFound"),
}
_LASTING_NAMES = {
    *("FileNotFoundError", "IsADirectoryError", "NotADirectoryError", "NotImplementedError"),
    *("ValueError", "BadZipFile", "TarError", "LZMAError", "error"),  # the last is zlib's
}
# Of credentials that were good until then, or look old to a machine whose clock is wrong: S3's,
# botocore's, Google's and Azure's words.
_EXPIRED = re.compile(
    r"\b(?:has|is|been|still) expired|ExpiredToken|RequestExpired|CredentialRetrievalError"
    r"|RequestTimeTooSkewed|request time and the current time|specified time frame"
)


class NoAnswer(Unreadable):
    """A store was busy, or out of reach, each time that it was asked."""

    again = True


class Refused(NotPermitted):
    """A store was busy, or out of reach, each time that it was given an output."""

    again = True


class Missing(Unreadable):
    """There is no such bucket, folder or object."""


def patient(
    call: Callable[[], T],
    refused: Callable[[Exception], PhotoError],
    *,
    sleep: Callable[[float], object] = time.sleep,
) -> T:
    """Call until it works, up to `TRIES` times where the store is busy or does not answer.

    Between tries it waits a random time up to a limit that doubles, so that many machines do not
    come back at once. FileExistsError passes; of others `refused` makes the error to raise.
    """
    for attempt in range(TRIES):
        try:
            return call()
        except (FileExistsError, PhotoError):
            raise
        except Exception as error:  # libraries raise many kinds
            if status(error) == 412:  # the condition of the put did not hold
                raise FileExistsError from error
            if attempt == TRIES - 1 or not is_busy(error):
                raise refused(error) from error
        sleep(random.uniform(0, min(_LONGEST, _FIRST * 2**attempt)))
    raise AssertionError


def is_busy(error: Exception) -> bool:
    """Whether a request may work a little later: throttled, cut off, out of time."""
    code = status(error)
    if code is not None:
        return code in _BUSY
    if _kinds(error) & _DENIED_NAMES or isinstance(error, (FileNotFoundError, PermissionError)):
        return False
    for cause in _causes(error):
        if isinstance(cause, (TimeoutError, asyncio.TimeoutError, ConnectionError, EOFError)):
            return True
        if isinstance(cause, OSError) and cause.errno in BUSY:
            return True
    return bool(_kinds(error) & _BUSY_NAMES)


def status(error: Exception) -> int | None:
    """The HTTP status behind a library's error, where there is one."""
    for cause in _causes(error):
        response = getattr(cause, "response", None)
        if isinstance(response, dict):
            found = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        else:
            found = getattr(cause, "status_code", None) or getattr(cause, "status", None)
            found = found or getattr(cause, "code", None)
        if isinstance(found, int) and 100 <= found < 600:
            return found
    return None


def read_error(error: Exception, secrets: Iterable[str] = ()) -> PhotoError:
    """The typed error for a read or a listing that a store refused."""
    reason = scrubbed(one_line(error, lines=2), secrets)
    if _is_denied(error):
        reason = f"reading is not permitted: {reason}"
        return NotPermitted(reason, again=_has_expired(error))
    if isinstance(error, FileNotFoundError) or status(error) == 404:
        return Missing(f"it is not there: {reason}")
    if is_busy(error):
        return NoAnswer(f"no answer after {TRIES} tries: {reason}")
    return Unreadable(reason, again=_may_pass(error))


def write_error(error: Exception, secrets: Iterable[str] = ()) -> PhotoError:
    """The typed error for a write that a store refused."""
    reason = scrubbed(one_line(error, lines=2), secrets)
    if any(isinstance(cause, OSError) and cause.errno in _FULL for cause in _causes(error)):
        return NoSpace(reason)
    if status(error) == 507 or "quota" in reason.lower():
        return NoSpace(reason)
    if _is_denied(error):
        reason = f"writing is not permitted: {reason}"
        return NotPermitted(reason, again=_has_expired(error))
    if is_busy(error):
        return Refused(f"the store refused the output {TRIES} times: {reason}")
    return NotPermitted(f"the store refused the output: {reason}", again=_may_pass(error))


def _is_denied(error: Exception) -> bool:
    named = bool(_kinds(error) & _DENIED_NAMES)
    return named or isinstance(error, PermissionError) or status(error) in _DENIED


def _has_expired(error: Exception) -> bool:
    """Whether the credentials were too old: another run may have new ones."""
    said = (f"{type(cause).__name__}: {cause}" for cause in _causes(error))
    return any(map(_EXPIRED.search, said))


def _may_pass(error: Exception) -> bool:
    """Whether another run may not meet it: no answer of the store's, no fault of name or data."""
    if _has_expired(error):
        return True
    if status(error) is not None or _kinds(error) & _LASTING_NAMES:
        return False
    numbers = {cause.errno for cause in _causes(error) if isinstance(cause, OSError)} - {None}
    return not numbers or bool(numbers & PASSING)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(8):  # more would be a circle
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _kinds(error: Exception) -> set[str]:
    return {kind.__name__ for cause in _causes(error) for kind in type(cause).__mro__}
