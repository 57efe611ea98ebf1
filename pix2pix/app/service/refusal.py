"""Refusals: requests that get a status, a code that never changes, and a reason for people."""

import json

from starlette.exceptions import HTTPException


class Refusal(HTTPException):
    """A request refused with a status, a code and a reason."""

    def __init__(self, status: int, code: str, reason: str, *, retry_after: int | None = None):
        headers = {} if retry_after is None else {"retry-after": str(retry_after)}
        super().__init__(status, reason, headers)
        self.code = code

    @property
    def body(self) -> bytes:
        """What the client reads."""
        return json.dumps({"code": self.code, "reason": self.detail}).encode()
