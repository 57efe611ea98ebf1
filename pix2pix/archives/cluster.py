"""Cluster: Ray on this machine for the time of a run, or one that is there, kept quiet.

Ray Data runs a fixed number of equal actors. How many fit is worked out before, from what every
node has, so that a run that nothing can run on ends at once instead of waiting for ever.
"""

import logging
import os
import secrets
import shutil
import socket
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from pix2pix import strips
from pix2pix.errors import Failure, one_line

MOST_CORES = 4  # of an actor: more threads wait for each other, fewer hold more models in memory
MOST_CORES_OF_GPU = 16  # which each read a photo: so many can share a batch
MEMORY = 2**29  # bytes that an actor takes at least: Python, Ray and the model
_OBJECTS = 100 * 2**20  # bytes of the local object store, where rows lie, and no picture
_STARTS = 3  # that are tried
_ANSWER = 10  # seconds that a cluster may take to accept a connection, and then to answer
_FOLDER = "pix2pix-ray-"
_QUIET = {"log_to_driver": False, "logging_level": logging.CRITICAL}
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113, section 3.4
_SETTINGS_FRAME = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # without one: length, type, flags, stream
_SETTINGS = {  # before Ray is imported; nothing leaves this machine, no server is seen outside it
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_TQDM_PATCH_PRINT": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    # else 127.0.0.1, as an address that is given or one to listen on, becomes that of the network
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}
_ALONE = {
    "RAY_worker_niceness": "0",  # as the command's own; Ray's is 15, the last in turn
    # other users of this machine have no way in; without a token in here Ray puts one into the
    # home, and clusters that are started later ask for that
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}


class NotEnough(Failure):
    """The cluster cannot run a single actor, now or ever."""

    code = "resources"


class ClusterError(Failure):
    """Ray cannot be started, reached or used any more."""

    code = "cluster"


@dataclass(frozen=True)
class Size:
    """How many actors a run has, and what each of them takes."""

    actors: int
    cores: int
    gpus: int = 0

    @property
    def memory(self) -> int:
        """[bytes]"""
        return MEMORY


def plan(
    nodes: Sequence[Mapping[str, float]], *, most: int, gpu: bool = False, free: float | None = None
) -> Size:
    """Choose the size of a run of at most `most` actors on nodes with these resources.

    `nodes` have "CPU", "GPU" and "memory" [bytes], as Ray names them; `free` cores of all nodes are
    not in use. With `gpu` an actor takes one GPU and its share of the node's cores. Raises
    NotEnough, with the numbers.
    """
    usable = [node for node in nodes if not gpu or node.get("GPU", 0) >= 1]
    if gpu and not usable:
        raise NotEnough(f"no GPU on {_count(len(nodes), 'node')}; --device cpu does without")
    each = [_cores_of(node, gpu) for node in usable]
    cores = min(MOST_CORES_OF_GPU, *each) if gpu else min(MOST_CORES, max(each, default=0))
    has = f"{_count(len(nodes), 'node')} with {_numbers(nodes)}"
    if cores < 1:
        raise NotEnough(f"an actor needs 1 core; the cluster has {has}")
    fitting = sum(_fit(node, cores, gpu) for node in usable)
    if fitting < 1:
        needs = f"an actor needs {_count(cores, 'core')} and {MEMORY / 2**30:g} GB of memory"
        raise NotEnough(f"{needs}; the cluster has {has}")
    if free is not None:
        if free < cores:
            raise NotEnough(
                f"an actor needs {_count(cores, 'core')}; the cluster has {has}, "
                f"{free:g} of the cores free: wait for what runs there to end"
            )
        fitting = min(fitting, int(free // cores))
    return Size(max(1, min(fitting, most)), cores, int(gpu))


def _cores_of(node: Mapping[str, float], gpu: bool) -> int:
    """The cores that an actor of this node can have."""
    cores = int(node.get("CPU", 0))
    return max(min(1, cores), int(cores / node["GPU"])) if gpu else cores


def _fit(node: Mapping[str, float], cores: int, gpu: bool) -> int:
    """How many actors fit on a node."""
    by = [node.get("CPU", 0) / cores, node.get("memory", 0) / MEMORY]
    return int(min(by + [node.get("GPU", 0)] * gpu))


def _numbers(nodes: Sequence[Mapping[str, float]]) -> str:
    cores, gpus, memory = (sum(n.get(k, 0) for n in nodes) for k in ("CPU", "GPU", "memory"))
    of_gpus = f", {_count(int(gpus), 'GPU')}" if gpus else ""
    return f"{_count(int(cores), 'core')}{of_gpus} and {memory / 2**30:.1f} GB of memory"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


@contextmanager
def running(address: str | None = None) -> Iterator[Any]:
    """Join the cluster at `address`, or start one here -> the module `ray`, ready for use.

    One that was started ends with its processes and its folder of logs; the environment is as it
    was. Raises ClusterError, and ModuleNotFoundError without Ray.
    """
    with _environment(_SETTINGS if address else _SETTINGS | _ALONE):
        try:
            import ray
            import ray.data
        except ModuleNotFoundError as error:
            needs = "--engine ray needs: pip install 'pix2pix-color[ray]'"
            raise ModuleNotFoundError(needs) from error
        folder = None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if address:
                    _join(ray, address)
                else:
                    folder = _folder()
                    _start(ray, folder)
                _hush(ray)
                yield ray
        finally:
            ray.shutdown()
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Settings for the time of a run, in variables that are not set otherwise.

    Ray keeps what it has read: it would send one cluster's token to the next, asked or not.
    """
    own = [name for name in _SETTINGS | _ALONE if name not in os.environ]  # Ray sets one itself
    for name in settings.keys() & own:
        os.environ[name] = settings[name]
    try:
        yield
    finally:
        for name in own:
            os.environ.pop(name, None)
        if raylet := sys.modules.get("ray._raylet"):
            raylet.Config.initialize("")  # which reads the environment
            raylet.AuthenticationTokenLoader.instance().reset_cache()


def _check(address: str) -> tuple[str, int] | None:
    """Ask for a server of Ray's kind -> its IP and port where they are this machine's, else None.

    Raises ClusterError where there is none: Ray would try for minutes.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdecimal():  # what it is then, Ray says
        return None
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _ANSWER) as connection:
            own, (ip, at) = connection.getsockname()[0], connection.getpeername()[:2]
            answers = _uses_tls() or _speaks_grpc(connection)
    except (OSError, OverflowError) as error:
        raise ClusterError(f"no Ray cluster answers: {one_line(error)}", address) from error
    if not answers:
        raise ClusterError("no Ray cluster answers: another server listens there", address)
    return (ip, at) if ip == own else None


def _uses_tls() -> bool:
    """Whether Ray takes its setting so (ray/_private/grpc_utils.py)."""
    return os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true")


def _speaks_grpc(connection: socket.socket) -> bool:
    """Whether a server takes HTTP/2, of which gRPC is made, without being asked for it before."""
    connection.sendall(_PREFACE + _SETTINGS_FRAME)
    with connection.makefile("rb") as answer:
        return answer.read(4)[3:] == _SETTINGS_FRAME[3:4]


def _join(ray: Any, address: str) -> None:
    try:
        with _mute():
            if address == "auto":
                address = ray._private.services.get_ray_address_from_environment(address, None)
            found = _check(address)
            if found and "://" not in address:
                _take_token(ray, address, *found)
            ray.init(address=address, **_QUIET)
    except ClusterError:
        raise
    except Exception as error:  # of many kinds
        ray.shutdown()
        raise ClusterError(_refusal(error), address) from error


def _take_token(ray: Any, address: str, ip: str, port: int) -> None:
    """Use this user's token where a cluster that this user started here asks for one.

    Ray does so for "auto" alone, and there for every cluster, of which others then do not work.
    """
    from ray._private.authentication import authentication_token_setup as tokens

    try:
        ray._raylet.GcsClient(address=address)
    except ray.exceptions.AuthenticationError:
        if not _is_own(ip, port):  # nobody else gets a token unasked
            return
        tokens.maybe_enable_token_auth_if_token_available(warn_if_disabled=False)


def _is_own(ip: str, port: int) -> bool:
    """Whether who listens there is the head of a cluster, and a process of this user's.

    Others may be another user's, or a forwarded port, behind which is another machine.
    """
    import psutil  # which Ray brings

    ips = {ip, f"::ffff:{ip}", "0.0.0.0", "::"}
    user = psutil.Process().username()
    for process in psutil.process_iter(["name", "username"]):
        name = process.info["name"] or ""
        if name.startswith("gcs_server") and process.info["username"] == user:
            with suppress(psutil.Error):
                connections = process.net_connections("tcp")
                listens = [c.laddr for c in connections if c.status == psutil.CONN_LISTEN]
                if any(at.ip in ips and at.port == port for at in listens):
                    return True
    return False


def _refusal(error: Exception) -> str:
    """Why a cluster was not joined."""
    why = one_line(error.__cause__ or error, lines=9)
    if "No node info" in why:
        why = "this machine is none of its nodes; give the command on one of them"
    if type(error).__name__ == "AuthenticationError":
        why = "it asks for a token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN where it is not in "
        why += "~/.ray/auth_token"
    return f"no way into this Ray cluster: {why}"


def _start(ray: Any, folder: str) -> None:
    for tries in range(_STARTS):
        try:
            with _mute():  # what Ray says of its log level
                ray.init(
                    address="local",
                    num_cpus=strips.share(),
                    object_store_memory=_OBJECTS,
                    include_dashboard=False,
                    _temp_dir=folder,
                    **_QUIET,
                )
            return
        # such as of a busy machine: Ray's agents have 15 seconds to name their ports to the node,
        # which ends without them, and the node 30 to be there, which is what Ray then says
        except Exception as error:
            ray.shutdown()
            _end_all(folder)
            if tries == _STARTS - 1:
                raise ClusterError(f"Ray does not start: {one_line(error)}") from error


def _end_all(folder: str) -> None:
    """End what works in a folder: Ray ends the processes of a failed start when it exits itself.

    Where the system does not end them with the command, as on macOS, Ray has a "reaper" for that,
    whose command line names no folder. It stays until the command ends.
    """
    import psutil  # which Ray brings

    for process in psutil.process_iter(["cmdline"]):
        with suppress(psutil.Error):
            words = process.info["cmdline"] or []
            if process.pid != os.getpid() and any(folder in word for word in words):
                process.kill()


@contextmanager
def _mute() -> Iterator[None]:
    """Nothing that libraries in C write to stderr is seen meanwhile."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _hush(ray: Any) -> None:
    """Leave stdout and stderr to the command: Ray prints there what it thinks of its workers."""
    worker = ray._private.worker
    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda *args, **options: None
    for name in ("ray", "ray.data", "ray.serve"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False


def _folder() -> str:
    """A folder for sockets and logs, its path short as those of sockets must be.

    Those of runs that were killed are deleted.
    """
    base = tempfile.gettempdir()
    if len(base) > 20 and os.path.isdir("/tmp"):
        base = "/tmp"
    for name in os.listdir(base):
        owner = name.removeprefix(_FOLDER).partition("-")[0]
        if name.startswith(_FOLDER) and owner.isdecimal() and not _lives(int(owner)):
            shutil.rmtree(os.path.join(base, name), ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-", dir=base)


def _lives(process: int) -> bool:
    if os.name == "nt":  # where signal 0 would end it
        return True
    with suppress(ProcessLookupError):
        try:
            os.kill(process, 0)
        except PermissionError:
            pass
        return True
    return False
