"""`python -ISs stand_in.py FOLDER ...`: what stands in for `python ...`, see warm.py. Up in 20 ms.

It hands over all that it was given to the server in FOLDER, passes signals on, and ends as its twin
there ends. Where that would not be the same as a Python of its own, it becomes one.
"""

import json
import os
import signal
import socket
import sys

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
# Variables that Python and the libraries read as they start, but for those that `become` reads, and
# two that Lightning and torchrun set.
READ_AT_START = ("PYTHON", "OMP_", "MKL_", "OPENBLAS_", "TORCH_", "PYTORCH_", "CUDA_", "LD_")
READ_LATER = ("PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHON")
READ_LATER += ("PYTORCH_NVML_BASED_CUDA_CHECK", "TORCH_NCCL_ASYNC_ERROR_HANDLING")


def at_start(environment) -> dict[str, str]:
    """What a process that has started can no longer be told."""
    names = [name for name in environment if name.startswith(READ_AT_START)]
    return {name: environment[name] for name in names if name not in READ_LATER}


def connect(folder: str, given: list[str]) -> socket.socket | None:
    """A connection to the server, if it can do what is asked."""
    program = given and (given[0] in ("-m", "-c") or not given[0].startswith("-"))
    opened = [fd for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")]
    with open(f"{folder}/at_start.json") as file:
        same = json.load(file) == at_start(os.environ)
    if not (program and same and sorted(opened) == ["0", "1", "2"]):  # no more, no fewer streams
        return None
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(f"{folder}/socket")
    except OSError:
        return None
    return server


def main(folder: str, *given: str) -> None:
    """Never returns."""
    command = list(given)
    if command[:1] == ["-u"]:
        os.environ["PYTHONUNBUFFERED"] = command.pop(0)
    server = connect(folder, command)
    if not server:
        os.execv(sys.executable, [sys.executable, *given])
    os.umask(umask := os.umask(0))
    ignored = [number for number in SIGNALS if signal.getsignal(number) == signal.SIG_IGN]
    request = json.dumps([command, dict(os.environ), os.getcwd(), umask, ignored]).encode()
    socket.send_fds(server, [len(request).to_bytes(4, "big")], [0, 1, 2])
    server.sendall(request)
    for number in set(SIGNALS) - set(ignored):
        signal.signal(number, lambda number, _: server.send(bytes([number])))
    for stream in range(3):
        os.close(stream)
    status = int.from_bytes(server.recv(4), "big", signed=True)
    if status >= 0:
        os._exit(status)
    if -status not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)


if __name__ == "__main__":
    main(*sys.argv[1:])
