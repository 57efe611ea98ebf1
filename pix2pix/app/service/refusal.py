"""Refusals: requests that get a status, a code that never changes, and a reason for people."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import Scope

FAULT = "the server failed; its log says where"


class Refusal(HTTPException):
    """A request refused with a status, a code and a reason."""

    def __init__(
        self,
        status: int,
        code: str,
        reason: str,
        *,
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
    ):
        later = {} if retry_after is None else {"retry-after": str(retry_after)}
        close = {"connection": "close"} if status == 400 else {}  # what follows may be its rest
        super().__init__(status, reason, {**(headers or {}), **later, **close})
        self.code = code

    def answer(self, scope: Scope, **more: str) -> JSONResponse:
        """The response to a request; its code goes into the log, too."""
        scope.setdefault("state", {})["code"] = self.code
        content = {"code": self.code, "reason": self.detail, **more}
        return JSONResponse(content, self.status_code, self.headers)
