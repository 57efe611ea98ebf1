"""HTTP/1.1 over sockets that may be slow, half open or lying: uvicorn's protocol with a clock.

uvicorn waits for ever: for a request's first byte, for its last, and for a client that does not
read its answer. Here every connection is looked at twice a second.
"""

import asyncio
import socket
import struct

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from pix2pix.app.limits import CLOCK_TICK, Limits
from pix2pix.app.service.routes import PAGE_UPLOAD

_ANSWERS = {
    400: b'{"code":"bad_request","reason":"the request ends early"}',
    408: b'{"code":"timeout","reason":"the request took too long to arrive"}',
}


class Protocol(H11Protocol):
    """uvicorn's H11Protocol that closes slow sockets."""

    limits = Limits()  # of this process's service, which sets them

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock with the connection."""
        super().connection_made(transport)
        self._began: float | None = self.loop.time()  # to wait for what is being waited for
        self._stuck: tuple[float, int] | None = None  # since when, and bytes then
        self._got = 0  # bytes of the request so far
        self._timer = self.loop.call_later(CLOCK_TICK, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes."""
        self._got += len(data)
        super().data_received(data)

    def eof_received(self) -> None:
        """Answer a request that ends before its Content-Length; else the client is gone."""
        if self.conn.their_state is h11.SEND_BODY and self.conn.our_state is h11.SEND_RESPONSE:
            self._refuse(400)

    def on_response_complete(self) -> None:
        """Start the clock anew for the next request."""
        self._began, self._got = None, 0
        super().on_response_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that rests between requests; a begun one is the clock's affair."""
        if not self.conn.trailing_data[0]:
            super().timeout_keep_alive_handler()

    def _look(self) -> None:
        now = self.loop.time()
        self._timer = self.loop.call_later(CLOCK_TICK, self._look)
        if self._reads_too_slowly(now):
            self._cut_off()
        elif self.transport.is_closing():
            return
        elif self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self._began = self._began or now
            if now + CLOCK_TICK > self._began + self._patience():
                self._refuse(408)
        else:
            self._began = None

    def _patience(self) -> float:
        """Seconds that a request may take, up to now."""
        body = self.conn.their_state is h11.SEND_BODY
        if body and self.scope["path"].startswith(PAGE_UPLOAD):
            return self.limits.receive + self._got / self.limits.least_rate
        return self.limits.receive

    def _reads_too_slowly(self, now: float) -> bool:
        """Whether an answer has waited for its client, and not shrunk as fast as it must."""
        left = self.transport.get_write_buffer_size()
        if not left or self._stuck is None:
            self._stuck = (now, left) if left else None
            return False
        since, before = self._stuck
        if now + CLOCK_TICK <= since + self.limits.receive:
            return False
        self._stuck = (now, left)
        return before - left < min(before, self.limits.least_rate * self.limits.receive)

    def _cut_off(self) -> None:
        """Close now. Without this option the system would go on offering what is left."""
        opened = self.transport.get_extra_info("socket")
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _refuse(self, status: int) -> None:
        """End the connection, with an answer where none has begun."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # the application hears that nobody is there
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = _ANSWERS[status]
            self.transport.write(
                b"HTTP/1.1 %d \r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                b"Connection: close\r\n\r\n%s" % (status, len(body), body)
            )
        self.transport.close()
