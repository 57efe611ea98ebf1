"""Pythons that need not import torch again: forked from one that has.

`python()` names a program that stands in for `sys.executable` before -m, -c or a file: the same
arguments, environment, folder, streams, signals and exit status. Only others' packages are loaded
beforehand; this project's modules are imported by each process, from where its own path says.
What is decided at Python's start (its options, closed streams, variables that imports read) gets
a Python of its own, as does everything on a system without pidfd. Tests of start-up itself take
`sys.executable`.
"""

import atexit
import importlib
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import types
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

LOADED = (
    *("torch", "torch.utils.data", "lightning.fabric", "lightning.pytorch", "torchmetrics"),
    *("hydra", "omegaconf", "tensorboard", "torch.utils.tensorboard", "PIL.Image", "typer"),
    *("skimage.color", "scipy.ndimage", "safetensors.torch", "fastapi", "uvicorn"),
    *("python_multipart", "prometheus_client", "gradio"),
)
# These keep at their import what the environment says of the Hub and of caches: where it says
# something else, they are imported again.
KEEP = ("huggingface_hub", "gradio", "gradio_client")
KEPT = ("HF_", "HUGGINGFACE", "GRADIO_", "HOME", "XDG_", "TMPDIR", "NO_PROXY", "HTTP")
# Done here all the same, and two that say which Python.
NOT_READ = ("PYTHONPATH", "PYTHONUNBUFFERED", "PYTHON", "PYTHON_EXEC")
READ_AT_START = ("PYTHON", "OMP_", "MKL_", "OPENBLAS_", "TORCH_", "PYTORCH_", "CUDA_", "LD_")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

# What stands in: a Python without packages, up in 20 ms. It is its twin's face and waits for it.
STAND_IN = r"""#!{python} -ISs
import json, os, signal, socket, sys

def real():
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])

given = sys.argv[1:]
at_start = {{k: v for k, v in os.environ.items() if k.startswith({read!r})}}
for name in {not_read!r}:
    at_start.pop(name, None)
streams = all(os.path.exists(f"/proc/self/fd/{{number}}") for number in range(3))
asks = given and (given[0] in ("-m", "-c") or not given[0].startswith("-"))
if at_start != {at_start!r} or not streams or not asks:
    real()
server = socket.socket(socket.AF_UNIX)
try:
    server.connect({address!r})
except OSError:
    real()
os.umask(umask := os.umask(0))
ignored = [number for number in {signals!r} if signal.getsignal(number) == signal.SIG_IGN]
for number in set({signals!r}) - set(ignored):
    signal.signal(number, lambda number, _: server.send(bytes([number])))
request = json.dumps([given, dict(os.environ), os.getcwd(), umask, ignored]).encode()
socket.send_fds(server, [len(request).to_bytes(4, "big")], [0, 1, 2])
server.sendall(request)
for number in range(3):
    os.close(number)
status = int.from_bytes(server.recv(4), "big", signed=True)
if status < 0:
    if -status not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
os._exit(status)
"""


def python() -> str:
    """The stand-in for `sys.executable`."""
    return str(folder() / "python")


def pix2pix() -> str:
    """The stand-in for the installed command."""
    return str(folder() / "pix2pix")


@cache
def folder() -> Path:
    """Where both lie, for PATH; the first call starts the process that is forked."""
    installed = Path(sys.executable).parent
    if not hasattr(os, "pidfd_open") or not hasattr(socket, "send_fds"):
        return installed
    place = Path(tempfile.mkdtemp(prefix="warm-"))
    address = str(place / "socket")
    environment = {k: v for k, v in os.environ.items() if k not in NOT_READ}
    environment["OMP_NUM_THREADS"] = "1"
    with (place / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, __file__, address, str(os.getpid())],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    assert server.stdout and server.stdout.readline() == b"ready\n", (place / "log").read_text()
    program = place / "python"
    program.write_text(
        STAND_IN.format(
            python=sys.executable,
            read=READ_AT_START,
            not_read=NOT_READ,
            at_start={k: v for k, v in environment.items() if k.startswith(READ_AT_START)},
            address=address,
            signals=tuple(map(int, SIGNALS)),
        )
    )
    command = place / "pix2pix"
    command.write_text(f'#!/bin/sh\nexec {program} {installed / "pix2pix"} "$@"\n')
    for made in (program, command):
        made.chmod(0o755)
    return place


def serve(address: str, owner: int) -> list:
    """Fork at every request until the process `owner` ends; returns in each fork what it asks."""
    for name in LOADED:
        importlib.import_module(name)
    alive = os.pidfd_open(owner)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    print("ready", flush=True)
    waiting = selectors.DefaultSelector()
    waiting.register(listener, selectors.EVENT_READ)
    waiting.register(alive, selectors.EVENT_READ)
    twins: dict[int, tuple[int, socket.socket]] = {}  # by the pidfd: its pid, its stand-in
    while True:
        for key, _ in waiting.select():
            if key.fd == alive:
                for pid, _ in twins.values():
                    os.kill(pid, signal.SIGKILL)
                shutil.rmtree(Path(address).parent)
                sys.exit()
            elif key.fileobj is listener:
                connection, _ = listener.accept()
                request, streams = _received(connection)
                if not request:
                    connection.close()
                    continue
                pid = os.fork()
                if not pid:
                    for held in (listener, connection, *(one for _, one in twins.values())):
                        held.close()
                    for fd in (alive, *twins):
                        os.close(fd)
                    waiting.close()
                    return [request, streams]
                for fd in streams:
                    os.close(fd)
                pidfd = os.pidfd_open(pid)
                twins[pidfd] = pid, connection
                waiting.register(pidfd, selectors.EVENT_READ)
                waiting.register(connection, selectors.EVENT_READ, pidfd)
            elif key.data is None:  # a twin has ended
                pid, connection = twins.pop(key.fd)
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with suppress(OSError):
                    connection.sendall(status.to_bytes(4, "big", signed=True))
                waiting.unregister(key.fd)
                if connection in waiting.get_map():
                    waiting.unregister(connection)
                os.close(key.fd)
                connection.close()
            elif key.data in twins:  # a stand-in passes signals on, or was killed
                pid, connection = twins[key.data]
                numbers = connection.recv(64)
                if not numbers:
                    waiting.unregister(connection)
                for number in numbers or [signal.SIGKILL]:
                    os.kill(pid, number)


def _received(connection: socket.socket) -> tuple[list, list[int]]:
    head, streams, _, _ = socket.recv_fds(connection, 4, 3)
    request, size = b"", int.from_bytes(head, "big")
    while len(request) < size and (more := connection.recv(size - len(request))):
        request += more
    return json.loads(request) if request and len(request) == size else [], list(streams)


def _kept(environment: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in environment.items() if k.upper().startswith(KEPT)}


def become(request: list, streams: list[int]) -> None:
    """Be `python GIVEN...` from after its start to its end."""
    given, environment, folder, umask, ignored = request
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
        os.close(fd)
    os.setsid()
    os.chdir(folder)
    os.umask(umask)
    if _kept(os.environ) != _kept(environment):
        for name in [name for name in sys.modules if name.split(".")[0] in KEEP]:
            del sys.modules[name]
    os.environ.clear()
    os.environ.update(environment)
    for number in SIGNALS:
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN if number in ignored else usual)
    tempfile.tempdir = None
    sys.modules["numpy"].random.seed()
    for fd, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        old = getattr(sys, name)
        stream = open(fd, mode, encoding=old.encoding, errors=old.errors, closefd=False)
        lines, at_once = (
            name == "stderr" or os.isatty(fd),
            bool(environment.get("PYTHONUNBUFFERED")),
        )
        stream.reconfigure(line_buffering=lines or at_once, write_through=at_once)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    first = {"-m": folder, "-c": ""}.get(given[0], str(Path(given[0]).resolve().parent))
    more = environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [first, *filter(None, more)]
    importlib.invalidate_caches()
    sys.orig_argv = [sys.executable, *given]
    sys.modules["__main__"] = types.ModuleType("__main__")
    _end(_code_of(_run, given))


def _run(given: list[str]) -> None:
    main = sys.modules["__main__"].__dict__
    main["__builtins__"] = __builtins__
    if given[0] == "-m":
        sys.argv[:] = ["-m", *given[2:]]
        runpy._run_module_as_main(given[1])  # type: ignore[attr-defined]
    elif given[0] == "-c":
        sys.argv[:] = ["-c", *given[2:]]
        exec(compile(given[1], "<string>", "exec"), main)
    else:
        sys.argv[:] = given
        main["__file__"] = os.path.abspath(given[0])
        exec(compile(Path(given[0]).read_bytes(), given[0], "exec"), main)


def _code_of(run: Callable[[list[str]], None], given: list[str]) -> int:
    """The exit status of a main program, as Python finds it."""
    try:
        run(given)
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        return -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _end(code: int) -> None:
    """What Python does at its end, but for taking a thousand modules apart: that takes seconds."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
    try:
        if sys.stdout and not sys.stdout.closed:
            sys.stdout.flush()
    except OSError:
        code = 120
    if code == -signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(code & 0xFF)


if __name__ == "__main__":
    become(*serve(sys.argv[1], int(sys.argv[2])))
