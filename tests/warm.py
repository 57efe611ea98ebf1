"""Pythons that need not import torch again: forked from one that has.

`python()` names a program that is used as `sys.executable` is before -m, -c or a file: the same
arguments, environment, folder, streams, signals and exit status. Four kinds of process:

    a test  --starts-->  a stand-in  --asks-->  the server, one a test process  --forks-->  a keeper
                             ^                                                               |
                             '-- the twin's end --  which forks the twin and passes on to it what
                                 signals its stand-in gets --

Only others' packages are loaded beforehand; this project's modules are imported by each twin, from
where its own path says. What is decided at Python's start (its options, variables that imports
read) gets a Python of its own, as does everything on a system without pidfd. Tests of start-up
itself take `sys.executable`.
"""

import atexit
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import types
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NoReturn

import stand_in

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


def python() -> str:
    """The stand-in for `sys.executable`."""
    return str(folder() / "python")


def pix2pix() -> str:
    """The stand-in for the installed command."""
    return str(folder() / "pix2pix")


@cache
def folder() -> Path:
    """Where both lie, for PATH; the first call starts the server."""
    installed = Path(sys.executable).parent
    if not hasattr(os, "pidfd_open") or not hasattr(socket, "send_fds"):
        return installed
    place = Path(tempfile.mkdtemp(prefix="warm-"))
    environment = {k: v for k, v in os.environ.items() if k not in stand_in.READ_LATER}
    environment["OMP_NUM_THREADS"] = "1"
    (place / "at_start.json").write_text(json.dumps(stand_in.at_start(environment)))
    face = f"{sys.executable} -ISs {stand_in.__file__} {place}"
    commands = {"python": face, "pix2pix": f"{place / 'python'} {installed / 'pix2pix'}"}
    for name, command in commands.items():
        (place / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (place / name).chmod(0o755)
    with (place / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, __file__, place],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    assert server.stdout and server.stdout.readline() == b"ready\n", (place / "log").read_text()
    return place


def serve(place: Path) -> None:
    """Fork a keeper at every request, until the process that started this one has ended."""
    owner = os.getppid()
    for name in LOADED:
        importlib.import_module(name)
    sys.executable = str(place / "python")  # what twins start is warm, too
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place / "socket"))
        listener.listen(64)
        listener.settimeout(1)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for keepers
        print("ready", flush=True)
        while os.getppid() == owner:
            with suppress(TimeoutError), listener.accept()[0] as connection:
                if not os.fork():
                    listener.close()
                    try:
                        keep(connection)
                    finally:  # with an error of this file's own
                        traceback.print_exc()
                        os._exit(1)
    shutil.rmtree(place)


def keep(connection: socket.socket) -> NoReturn:
    """Fork the twin, pass signals on to it, and tell the stand-in how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, streams, _, _ = socket.recv_fds(connection, 4, 3)
    request, size = b"", int.from_bytes(head, "big")
    while len(request) < size and (more := connection.recv(size - len(request))):
        request += more
    if not request or len(request) < size:  # killed while it asked
        os._exit(1)
    pid = os.fork()
    if not pid:
        connection.close()
        become(*json.loads(request), streams)
    for fd in streams:
        os.close(fd)
    end = os.pidfd_open(pid)
    while end not in select.select([connection, end], [], [])[0]:
        for number in connection.recv(64) or [signal.SIGKILL]:  # nothing: the stand-in was killed
            os.kill(pid, number)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(OSError):
        connection.sendall(status.to_bytes(4, "big", signed=True))
    os._exit(0)


def become(
    given: list[str],
    environment: dict[str, str],
    folder: str,
    umask: int,
    ignored: list[int],
    streams: list[int],
) -> NoReturn:
    """Be `python GIVEN...` from after its start to its end."""
    os.setsid()
    os.chdir(folder)
    os.umask(umask)
    if _kept(os.environ) != _kept(environment):
        for name in [name for name in sys.modules if name.split(".")[0] in KEEP]:
            del sys.modules[name]
    os.environ.clear()
    os.environ.update(environment)
    for number in stand_in.SIGNALS:
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN if number in ignored else usual)
    tempfile.tempdir = None
    sys.modules["numpy"].random.seed()
    sys.dont_write_bytecode = bool(environment.get("PYTHONDONTWRITEBYTECODE"))
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
        os.close(fd)
    at_once = bool(environment.get("PYTHONUNBUFFERED"))
    for fd, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        old = getattr(sys, name)
        stream = open(fd, mode, encoding=old.encoding, errors=old.errors, closefd=False)
        lines = name == "stderr" or os.isatty(fd) or at_once
        stream.reconfigure(line_buffering=lines, write_through=at_once)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    first = {"-m": folder, "-c": ""}.get(given[0], str(Path(given[0]).resolve().parent))
    more = environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [first, *filter(None, more)]
    importlib.invalidate_caches()
    sys.orig_argv = [sys.executable, *given]
    sys.modules["__main__"] = types.ModuleType("__main__")
    _end(_code_of(_run, given))


def _kept(environment: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in environment.items() if k.upper().startswith(KEPT)}


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


def _end(code: int) -> NoReturn:
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
    serve(Path(sys.argv[1]))
