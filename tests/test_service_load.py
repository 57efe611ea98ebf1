"""The service under clients that are slow, vanish, send too much, or come all at once."""

import http.client
import re
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import warm
from places import BENCHMARKS
from serving import HELD, LIMITS, Service, head, photo, read_all, running, wait_until

MIB = 2**20
CLOSED = LIMITS["receive"] + 1.5  # [s]; the clock ticks each half second, machines are busy


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("service")) as found:
        yield found
        assert not found.errors()


def in_work(service: Service, count: int = 1) -> None:
    """Wait until so many photos are being worked at."""
    wait_until(lambda: service.metric("pix2pix_running") == count)


def queued(service: Service, count: int) -> None:
    wait_until(lambda: service.metric("pix2pix_queue_length") == count)


# --- slow sockets -------------------------------------------------------------------------------

FORM = "Content-Type: multipart/form-data; boundary=b"
POST = head("POST", "/api/colorize", "Content-Type: image/jpeg", "Content-Length: 9000")
CHUNKED = head("POST", "/api/colorize", "Transfer-Encoding: chunked")
# what is sent at once, and what then comes byte by byte
SLOW = {
    "nothing": (b"", b""),
    "half a request line": (b"GET /heal", b""),
    "half a head": (POST[:40], b""),
    "a head that dribbles": (POST[:40], b"X-A: b\r\n" * 40),
    "a body that stalls": (POST + bytes(100), b""),
    "a body that dribbles": (POST + bytes(100), bytes(300)),
    "chunks that stall": (CHUNKED + b"5\r\nabc", b""),
    "chunks that dribble": (CHUNKED, b"1\r\na\r\n" * 60),
    "a second request that stalls": (head("GET", "/healthz") + b"GET /heal", b""),
    "a form that stalls": (
        head("POST", "/api/colorize", FORM, "Content-Length: 99") + b"--b\r\nContent-Disp",
        b"",
    ),
    "a request that is refused, and stalls": (
        head("PUT", "/api/colorize", "Content-Length: 99"),
        b"",
    ),
}


def test_slow_sockets_are_closed_while_others_are_served(service: Service) -> None:
    sent = photo()
    expected = service.post(sent).body
    start = time.monotonic()
    sockets = {service.connect(first): (name, rest) for name, (first, rest) in SLOW.items()}
    places = dict.fromkeys(sockets, 0)
    closed, answers = {}, dict.fromkeys(SLOW, b"")
    while sockets and time.monotonic() < start + 20:
        ready, _, _ = select.select(list(sockets), [], [], 0.1)
        for one in ready:
            name, _ = sockets[one]
            try:
                piece = one.recv(65536)
            except ConnectionError:
                piece = b""
            answers[name] += piece
            if not piece:
                closed[name] = time.monotonic() - start
                del sockets[one]
                one.close()
        for one, (_, rest) in sockets.items():
            place = places[one]
            try:
                one.send(rest[place : place + 1])
            except ConnectionError:
                continue
            places[one] += 1
        assert service.post(sent).body == expected
    assert closed.keys() == SLOW.keys()
    assert max(closed.values()) < CLOSED, closed
    for name, answer in answers.items():
        told = re.search(rb"HTTP/1\.1 (408|405)", answer)
        # one that is sending at that moment may lose the answer to the connection's reset
        assert told or (SLOW[name][1] and not answer), (name, answer)
    assert b'"timeout"' in answers["a body that stalls"]


def test_a_connection_that_idles_between_requests_is_closed(service: Service) -> None:
    start = time.monotonic()
    answer = service.raw(head("GET", "/healthz"))
    assert answer.startswith(b"HTTP/1.1 200")
    assert LIMITS["idle"] - 0.5 < time.monotonic() - start < LIMITS["idle"] + 1.5


def test_many_requests_on_one_connection_are_no_slow_socket(service: Service) -> None:
    end, count = time.monotonic() + LIMITS["receive"] + 1, 0
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    with closing(connection):
        connection.connect()
        opened = connection.sock
        while time.monotonic() < end:
            connection.request("GET", "/healthz")
            assert connection.getresponse().read() and connection.sock is opened
            count += 1
            time.sleep(0.2)  # the clock looks mostly between two requests
    assert count > 5


def test_a_photo_that_takes_longer_than_its_receiving_may_is_answered(service: Service) -> None:
    with service.held():
        connection = service.start_post(photo(HELD))
        in_work(service)
        time.sleep(LIMITS["receive"] + 0.7)
    with connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_client_that_does_not_read_is_cut_off(service: Service) -> None:
    sent = photo(2000, 1900, "PNG")  # 11 MB back as BMP, more than the system buffers
    start = time.monotonic()
    request = head("POST", "/api/colorize?format=bmp", f"Content-Length: {len(sent)}") + sent
    with service.connect(request, receive_buffer=4096) as connection:
        poll = select.poll()
        poll.register(connection, 0)  # errors and hang-ups only
        assert poll.poll(20_000), "it still waits"
        taken = time.monotonic() - start
        assert len(read_all(connection)) < 11_400_000
    assert taken < CLOSED + 4  # the photo itself takes its time


# --- too much -----------------------------------------------------------------------------------


def flood(service: Service, header: bytes, piece: bytes) -> bytes:
    """Send a head, and then `piece` for ever, until the service ends it -> its answer."""
    connection = service.connect(header)
    stop = threading.Event()

    def send() -> None:
        try:
            while not stop.is_set():
                connection.sendall(piece)
        except OSError:
            pass

    sender = threading.Thread(target=send)
    sender.start()
    answer = read_all(connection)
    stop.set()
    sender.join()
    connection.close()
    return answer


CHUNK = b"10000\r\n" + bytes(65536) + b"\r\n"
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
LARGE = {
    "declared": (["Content-Length: 10000000000"], b"", bytes(65536), 0),
    "chunked": (["Transfer-Encoding: chunked"], b"", CHUNK, LIMITS["max_bytes"]),
    "declared form": (["Content-Length: 10000000000", FORM], PART, bytes(65536), 0),
    "chunked form": (
        ["Transfer-Encoding: chunked", FORM],
        b"%x\r\n%b\r\n" % (len(PART), PART),
        CHUNK,
        2 * LIMITS["max_bytes"],  # of a form, which may hold a photo and a reference
    ),
    "declared, within the limit for forms": (
        [f"Content-Length: {LIMITS['max_bytes'] + 1000}"],
        b"",
        bytes(65536),
        LIMITS["max_bytes"],
    ),
}


@pytest.mark.parametrize(("fields", "first", "piece", "limit"), LARGE.values(), ids=LARGE)
def test_an_endless_upload_is_refused(
    service: Service, fields: list[str], first: bytes, piece: bytes, limit: int
) -> None:
    before = service.metric("pix2pix_received_bytes_total")
    answer = flood(service, head("POST", "/api/colorize", *fields) + first, piece)
    received = service.metric("pix2pix_received_bytes_total") - before
    assert answer.startswith(b"HTTP/1.1 413") and b'"too_large"' in answer
    assert limit <= received <= limit + MIB
    assert not service.left
    assert service.post(photo()).status == 200


def test_a_photo_and_its_reference_may_each_be_as_large_as_one(service: Service) -> None:
    file = photo() + bytes(int(0.9 * LIMITS["max_bytes"]) - len(photo()))
    parts = [PART + file, PART.replace(b"file", b"like", 1) + file]
    body = b"\r\n".join([*parts, b"--b--\r\n"])
    answer = service.raw(head("POST", "/api/colorize", FORM, f"Content-Length: {len(body)}") + body)
    assert answer.startswith(b"HTTP/1.1 422") and b'"reference"' in answer  # the net takes none


def test_a_client_that_asks_first_sends_nothing(service: Service) -> None:
    sent = head("POST", "/api/colorize", "Content-Length: 10000000000", "Expect: 100-continue")
    assert service.raw(sent).startswith(b"HTTP/1.1 413")
    sent = head("POST", "/api/colorize", "Content-Length: 9", "Expect: 100-continue")
    with service.connect(sent) as connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 100")


def test_uploads_share_a_bounded_memory(service: Service) -> None:
    part = bytes(1_900_000)
    opened = []
    try:
        before = service.metric("pix2pix_received_bytes_total")
        for _ in range(4):  # 7.6 of 8 MB
            opened.append(service.connect(head("POST", "/api/colorize", "Content-Length: 1950000")))
            opened[-1].sendall(part)
        wanted = before + 4 * len(part)
        wait_until(lambda: service.metric("pix2pix_received_bytes_total") == wanted, 5)
        answer = service.post(bytes(1_000_000))
        assert (answer.status, answer.code) == (429, "busy")
        assert int(answer.headers["retry-after"]) > 0
    finally:
        for connection in opened:
            connection.close()
    wait_until(lambda: service.metric("pix2pix_requests_in_flight") == 1)
    assert service.post(bytes(1_000_000)).status == 415  # there is room again


# --- too many -----------------------------------------------------------------------------------


def test_beyond_the_queue_clients_are_told_when_to_come_back(service: Service) -> None:
    with service.held():
        first = service.start_post(photo(HELD))
        in_work(service)
        others = [service.start_post(photo(seed=i)) for i in range(LIMITS["waiting"])]
        queued(service, LIMITS["waiting"])
        answer = service.post(photo())
        assert (answer.status, answer.code) == (429, "busy")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        start = time.monotonic()
        assert service.request("GET", "/healthz").status == 200
        assert time.monotonic() - start < 2
    for connection in [first, *others]:
        with connection:
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_who_sends_all_before_reading_sees_the_refusal(service: Service) -> None:
    with service.held():
        held = [service.start_post(photo(HELD)) for _ in range(LIMITS["waiting"] + 1)]
        queued(service, LIMITS["waiting"])
        start, before = time.monotonic(), service.metric("pix2pix_received_bytes_total")
        connection = service.connect(
            head("POST", "/api/colorize", f"Content-Length: {LIMITS['max_bytes']}"),
            receive_buffer=4096,
        )
        with connection:
            connection.sendall(bytes(LIMITS["max_bytes"]))
            assert b'"busy"' in read_all(connection)
        assert time.monotonic() - start < 2
        received = service.metric("pix2pix_received_bytes_total") - before
        assert received == LIMITS["max_bytes"]  # else it is reset, and may miss what it was told
    for connection in held:
        connection.close()


def test_a_crowd_is_answered(service: Service) -> None:
    sent = photo()

    def ask(_: int) -> int:
        answer = service.post(sent)
        assert answer.status == 200 or int(answer.headers["retry-after"]) > 0
        return answer.status

    with ThreadPoolExecutor(100) as pool:
        statuses = list(pool.map(ask, range(200)))
    assert set(statuses) <= {200, 429, 503} and 200 in statuses


@pytest.mark.slow
def test_a_photo_that_takes_too_long_is_504_and_one_that_waited_503(tmp_path: Path) -> None:
    with running(tmp_path, process=1.0) as service, service.held():
        first = service.start_post(photo(HELD))
        in_work(service)
        second = service.start_post(photo())
        with first, second:
            assert read_all(first).startswith(b"HTTP/1.1 504")
            late = read_all(second)
        assert late.startswith(b"HTTP/1.1 503") and b"retry-after: " in late
        assert b'"timeout"' in late
        queued(service, 0)


# --- clients that vanish ------------------------------------------------------------------------


def test_a_client_that_leaves_frees_its_place_in_the_queue_at_once(service: Service) -> None:
    with service.held():
        first = service.start_post(photo(HELD))
        in_work(service)
        second = service.start_post(photo())
        queued(service, 1)
        second.close()
        wait_until(lambda: service.metric("pix2pix_queue_length") == 0, 1)
    with first:
        assert first.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_client_that_leaves_frees_its_worker_after_the_step(service: Service) -> None:
    hold = service.folder / "hold"
    with service.held():
        first = service.start_post(photo(HELD, format="PNG"))
        in_work(service)
        before = statuses(service).count(499)
        first.close()
        wait_until(lambda: statuses(service).count(499) == before + 1, 2)
        hold.unlink()
        wait_until(lambda: service.metric("pix2pix_running") == 0, 1)
    assert service.post(photo()).status == 200


def statuses(service: Service) -> list[int]:
    return [entry.get("status", 0) for entry in service.log()]


@pytest.mark.parametrize("abrupt", [False, True], ids=["FIN", "RST"])
def test_a_client_that_leaves_in_its_upload_leaves_nothing(service: Service, abrupt: bool) -> None:
    before = statuses(service).count(499) + statuses(service).count(400)
    connection = service.connect(POST + bytes(5000))
    wait_until(lambda: service.metric("pix2pix_requests_in_flight") == 2)  # with this one
    if abrupt:
        linger = (1).to_bytes(4, "little") + bytes(4)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.close()
    wait_until(lambda: service.metric("pix2pix_requests_in_flight") == 1, 2)
    assert statuses(service).count(499) + statuses(service).count(400) == before + 1
    assert not service.left


# --- the end ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_what_runs_finish(tmp_path: Path, how: signal.Signals) -> None:
    with running(tmp_path) as service:
        hold = tmp_path / "hold"
        hold.touch()
        connections = [service.start_post(photo(HELD)), service.start_post(photo())]
        in_work(service)
        queued(service, 1)
        service.process.send_signal(how)

        def refused() -> bool:
            try:
                service.connect().close()
            except ConnectionRefusedError:
                return True
            return False

        wait_until(refused)
        hold.unlink()
        for connection in connections:
            with connection:
                answer = read_all(connection)
                assert answer.startswith(b"HTTP/1.1 200") and b"\xff\xd8\xff" in answer
        service.process.wait(20)
        assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.slow
def test_the_bars_hold_in_the_short_benchmark() -> None:
    path = BENCHMARKS / "load.py"
    command = [warm.python(), str(path), "--short", "--weights", "pix2pix"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    # how fast, and how much memory, is for machines that do nothing else
    timed = ("256-px photos", "/healthz", "memory")
    missed = [line for line in done.stdout.splitlines() if line.endswith("MISSED")]
    assert not [line for line in missed if not line.startswith(timed)], done.stdout
    assert done.stdout.count("\n") == 10, done.stdout + done.stderr
