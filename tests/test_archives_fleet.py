"""Fleets: what fits on a cluster, blocks of jobs, and the actor as a plain object."""

import os
import pickle
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
from photo_sets import fill, gray
from tiny_graphs import write_graph

from pix2pix.archives import actors, cluster, finding, fleet, manifest, runs
from pix2pix.archives.blocks import Blocks, unpack
from pix2pix.archives.cluster import NotEnough, plan
from pix2pix.cli.fleet import fleet as of_command
from pix2pix.cli.runs import Run
from pix2pix.colorize.ends import FileOptions
from pix2pix.colorize.jobs import Job, Record
from pix2pix.colorize.wish import Wish
from pix2pix.errors import WeightsError

GB = 2**30


def node(cores, gpus=0, memory=64):
    return {"CPU": float(cores), "memory": memory * GB} | ({"GPU": float(gpus)} if gpus else {})


@pytest.mark.parametrize(
    "nodes, most, gpu, size",
    [
        ([node(1)], 99, False, (1, 1, 0)),
        ([node(2)], 99, False, (1, 2, 0)),
        ([node(8)], 99, False, (2, 4, 0)),
        ([node(8)], 1, False, (1, 4, 0)),
        ([node(8), node(6), node(2)], 99, False, (3, 4, 0)),
        ([node(8, memory=0.6)], 99, False, (1, 4, 0)),
        ([node(0), node(4)], 99, False, (1, 4, 0)),
        ([node(8, 2), node(64)], 99, True, (2, 4, 1)),
        ([node(64, 1)], 99, True, (1, 16, 1)),
        ([node(2, 4)], 99, True, (2, 1, 1)),
    ],
)
def test_the_size_of_a_run(nodes, most, gpu, size):
    found = plan(nodes, most=most, gpu=gpu)
    assert (found.actors, found.cores, found.gpus) == size


@pytest.mark.parametrize(
    "nodes, options, words",
    [
        ([node(0)], {}, "1 core; the cluster has 1 node with 0 cores"),
        (
            [node(4, memory=0.2)],
            {},
            "0.5 GB of memory; the cluster has 1 node with 4 cores and",
        ),
        ([node(4), node(4)], {"free": 3}, "2 nodes with 8 cores and 128.0 GB of memory, 3 of the"),
        ([node(4)], {"gpu": True}, "no GPU on 1 node"),
    ],
)
def test_too_little_is_said_with_the_numbers(nodes, options, words):
    with pytest.raises(NotEnough) as error:
        plan(nodes, most=9, **options)
    assert words in error.value.reason


def jobs(count, size=10):
    status = os.stat_result((0o100644, 0, 0, 1, 0, 0, size, 0, 0, 0))
    return [Job(f"in/{i}", f"out/{i}", "out", status) for i in range(count)]


def filled(count, size=10, **options):
    blocks = Blocks(**options)
    for job in jobs(count, size):
        blocks.add(job)
    return blocks


def test_blocks_are_of_a_few_photos_and_bytes():
    sizes = [len(unpack(block)) for block in filled(70).packed().values()]
    assert sizes == [32, 32, 6]
    large = [len(unpack(block)) for block in filled(5, size=20_000_000).packed().values()]
    assert large == [2, 2, 1]


def test_blocks_are_counted_back_once():
    blocks = filled(10, photos=4)
    assert len(blocks) == 3 and list(blocks.jobs()) == jobs(10)
    assert blocks.take(1) and not blocks.take(1)
    assert [job.source for job in blocks.singly().jobs()] == [f"in/{i}" for i in (0, 1, 2, 3, 8, 9)]
    assert len(blocks.singly()) == 6
    assert blocks.take(0) and blocks.take(2) and not blocks


def test_a_job_takes_little_memory():
    (block,) = filled(32).packed().values()
    assert len(block) / 32 < 200


class ByActors:
    """A fleet of plain objects, pickled as Ray does; `dies` after so many photos of a block."""

    def __init__(self, coloring):
        self.coloring = coloring

    def __call__(self, blocks):
        pyarrow = pytest.importorskip("pyarrow")
        actor = actors.Actor(pickle.loads(pickle.dumps(self.coloring)), 1)
        packed = blocks.packed()
        for number, jobs in packed.items():
            answer = actor(pyarrow.table({"block": [number], "jobs": [jobs]}))
            assert answer["block"] == [number] and blocks.take(number)
            yield from pickle.loads(answer["records"][0])


@pytest.fixture
def coloring(tmp_path):
    path = write_graph(tmp_path / "tiny.onnx")
    return actors.Coloring(weights=str(path), folder=os.getcwd())


def run(paths, fleet=None, load=None):
    found = finding.find(paths.inputs, finding.Search(), out=paths.out)
    return list(runs.run(found, paths, FileOptions(), fleet=fleet, load=load))


def read(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_actors_make_the_very_files_of_one_process(tmp_path, coloring):
    fill(tmp_path / "in", 3, gray, ".jpg")
    (tmp_path / "in" / "bad.jpg").write_bytes(b"no photo")
    one = runs.Paths([str(tmp_path / "in")], str(tmp_path / "one"), manifest=str(tmp_path / "m1"))
    many = runs.Paths([str(tmp_path / "in")], str(tmp_path / "many"), manifest=str(tmp_path / "m2"))
    run(one, load=coloring.load)
    records = run(many, fleet=ByActors(coloring))
    assert sorted(record.status for record in records) == ["colored"] * 3 + ["failed"]
    assert read(tmp_path / "one") == read(tmp_path / "many")
    columns = [f for f in manifest.schema().names if f not in ("seconds", "when")]
    here, there = (manifest.read(str(tmp_path / m), columns).to_pylist() for m in ("m1", "m2"))
    assert here == there and len(here) == 4
    assert [record.status for record in run(many, fleet=ByActors(coloring))].count("skipped") == 3


def test_what_a_dead_actor_had_put_counts_as_its_work(tmp_path, coloring):
    """Ray gives the block to another actor, which finds the outputs there."""
    import fsspec

    memory = fsspec.filesystem("memory")
    fill(tmp_path / "in", 2, gray, ".jpg")
    memory.put(str(tmp_path / "in"), "/fleet-in", recursive=True)
    found = list(finding.find(["memory://fleet-in"], finding.Search(), out="memory://fleet-out"))
    copy = coloring()
    first, again = list(copy(found)), list(copy(found))
    assert [record.status for record in again] == ["colored"] * 2
    for before, after in zip(first, again, strict=True):
        assert (before.sha256_in, before.sha256_out) == (after.sha256_in, after.sha256_out)
    memory.pipe_file("/fleet-out/gray000.color.jpg", b"another's")
    assert [record.status for record in copy(found)] == ["skipped", "colored"]
    assert memory.cat_file("/fleet-out/gray000.color.jpg") == b"another's"


def test_an_actor_works_where_the_command_was_given(tmp_path, coloring, monkeypatch):
    fill(tmp_path / "in", 1, gray, ".jpg")
    monkeypatch.chdir("/")
    elsewhere = actors.Coloring(weights=coloring.weights, folder=str(tmp_path))
    (record,) = elsewhere()([Job("in/gray000.jpg", "out/gray000.color.jpg", "out")])
    assert record.status == "colored" and (tmp_path / "out/gray000.color.jpg").exists()


@pytest.mark.parametrize(
    "inputs, out, relative",
    [
        (["in"], None, True),
        (["/in", "s3://scans"], "/out", False),
        (["s3://scans", "in"], "s3://out", True),
        (["s3://scans"], "out", True),
        (["zip://::scans.zip"], "s3://out", True),
        (["zip://::/archive/scans.zip", "simplecache::s3://scans"], "s3://out", False),
    ],
)
def test_a_cluster_needs_the_working_folder_for_relative_paths_alone(inputs, out, relative):
    run = Run(inputs, out, (1, 1), as_json=False, every_file=False, follow=False, watch=False)
    assert run.relative == relative


def test_weights_of_ones_own_have_a_whole_path_and_bundled_ones_their_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "default").mkdir()
    (tmp_path / "mine.onnx").write_bytes(b"")
    found = []
    monkeypatch.setattr(actors, "Coloring", lambda weights, **_: found.append(weights))
    for weights in ("default", "mine.onnx", "you/yours"):
        of_command(weights, "cpu", Wish(), FileOptions(), None)
    assert found == ["default", str(tmp_path / "mine.onnx"), "you/yours"]


def test_a_machine_with_another_version_does_not_work(coloring):
    with pytest.raises(WeightsError, match="0.0.1 at the command"):
        replace(coloring, version="0.0.1")()


def test_logs_of_killed_runs_are_deleted(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(cluster.os.path, "isdir", lambda path: False)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead, alive = f"pix2pix-ray-{ended.pid}-x", f"pix2pix-ray-{os.getpid()}-x"
    for name in (dead, alive, "pix2pix-ray-other", "mine"):
        (tmp_path / name).mkdir()
    cluster._folder()
    left = {path.name for path in tmp_path.iterdir()}
    assert dead not in left and {alive, "pix2pix-ray-other", "mine"} < left


class Busy:
    """Ray that does not start before so many tries, and leaves a process of each."""

    def __init__(self, works_at):
        self.tries, self.works_at, self.left = 0, works_at, []

    def init(self, **options):
        self.tries += 1
        if "_temp_dir" in options:
            waits = [sys.executable, "-c", "import time; time.sleep(600)", options["_temp_dir"]]
            self.left.append(subprocess.Popen(waits))
        if self.tries < self.works_at:
            raise Exception("The current node timed out during startup. This could ...")

    def shutdown(self):
        pass


def test_ray_is_started_again_on_a_busy_machine(tmp_path):
    ray = Busy(works_at=3)
    cluster._start(ray, str(tmp_path / "ray"))
    *failed, working = ray.left
    assert [process.wait(9) for process in failed] == [-signal.SIGKILL] * 2  # which Ray leaves
    assert working.poll() is None
    working.kill()
    working.wait()
    with pytest.raises(cluster.ClusterError, match="timed out"):
        cluster._start(ray := Busy(works_at=9), str(tmp_path / "ray"))
    assert ray.tries == 3 and [process.wait(9) for process in ray.left] == [-signal.SIGKILL] * 3


def test_a_cluster_that_does_not_let_in_is_asked_once(monkeypatch):
    monkeypatch.setattr(cluster, "_check", lambda address: None)
    with pytest.raises(cluster.ClusterError, match=r"10.0.0.1:1: .*timed out"):
        cluster._join(ray := Busy(works_at=9), "10.0.0.1:1")
    assert ray.tries == 1


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_an_address_where_nobody_listens_is_said_at_once(address):
    with socket.socket() as held:  # a port that is taken, and answers nobody
        held.bind(("127.0.0.1", 0))
        with pytest.raises(cluster.ClusterError) as error:
            cluster._check(address.format(held.getsockname()[1]))
    assert error.value.code == "cluster" and "no Ray cluster answers" in error.value.reason
    assert not cluster._check("nonsense")


@contextmanager
def answering(data):
    """A server that answers one request with these bytes -> its address."""

    class Answer(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(9)
            self.request.sendall(data)

    with socketserver.TCPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.handle_request).start()
        yield f"127.0.0.1:{server.server_address[1]}"


@pytest.mark.parametrize("tls", ["0", "false", "False"])
def test_a_server_of_another_kind_is_said_at_once(monkeypatch, tls):
    monkeypatch.setenv("RAY_USE_TLS", tls)
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
        with pytest.raises(cluster.ClusterError) as error:
            cluster._check(address)
    assert str(error.value) == f"{address}: no Ray cluster answers: another server listens there"


@pytest.mark.parametrize("tls", ["1", "true", "True"])
def test_with_tls_no_answer_in_plain_words_is_waited_for(monkeypatch, tls):
    monkeypatch.setenv("RAY_USE_TLS", tls)
    with answering(b"") as address:
        assert cluster._check(address)


def test_a_token_is_for_clusters_that_the_user_has_on_this_machine(monkeypatch):
    monkeypatch.delenv("RAY_USE_TLS", raising=False)
    settings = bytes([0, 0, 24, 4, 0, 0, 0, 0, 0])  # how a gRPC server begins
    with answering(settings) as address:
        assert cluster._check(address) == ("127.0.0.1", int(address.rpartition(":")[2]))
    far = SimpleNamespace(getsockname=lambda: ("10.0.0.1", 1), getpeername=lambda: ("10.0.0.2", 2))
    monkeypatch.setattr(cluster.socket, "create_connection", lambda *_: nullcontext(far))
    monkeypatch.setattr(cluster, "_speaks_grpc", lambda connection: True)
    assert not cluster._check("10.0.0.2:6379")

    class Ray(Busy):
        exceptions = SimpleNamespace(AuthenticationError=PermissionError)

        def __init__(self, asks):
            super().__init__(works_at=0)
            self._raylet = SimpleNamespace(GcsClient=self.ask)
            self.asks = asks

        def ask(self, address):
            if self.asks:
                raise PermissionError(address)

    taken = []
    setup = SimpleNamespace(maybe_enable_token_auth_if_token_available=lambda **_: taken.append(1))
    package = SimpleNamespace(authentication_token_setup=setup)
    monkeypatch.setitem(sys.modules, "ray._private.authentication", package)
    here = ("10.0.0.1", 1)
    for asks, found, own, count in (
        *((True, here, True, 1), (False, here, True, 0)),
        *((True, None, True, 0), (True, here, False, 0)),
    ):
        taken.clear()
        monkeypatch.setattr(cluster, "_check", lambda address, found=found: found)
        monkeypatch.setattr(
            cluster, "_is_own", lambda ip, port, own=own: own and (ip, port) == here
        )
        cluster._join(Ray(asks), "10.0.0.1:1")
        assert len(taken) == count


@pytest.mark.parametrize(
    "changed, own",
    [
        ({}, True),
        ({"ip": "::"}, True),
        ({"name": "gcs_server.exe"}, True),
        ({"name": "ssh"}, False),  # which forwards a port
        ({"username": "another"}, False),
        ({"status": "ESTABLISHED"}, False),
        ({"ip": "10.0.0.1"}, False),
        ({"port": 6380}, False),
        ({"gone": True}, False),
    ],
)
def test_a_cluster_is_the_users_own_where_the_head_of_one_listens(monkeypatch, changed, own):
    psutil = pytest.importorskip("psutil")
    user = psutil.Process().username()
    head = {"name": "gcs_server", "username": user, "status": "LISTEN", "gone": False}
    head |= {"ip": "127.0.0.1", "port": 6379} | changed

    def connections(kind):
        if head["gone"]:
            raise psutil.NoSuchProcess(1)
        at = SimpleNamespace(ip=head["ip"], port=head["port"])
        return [SimpleNamespace(status=head["status"], laddr=at)]

    process = SimpleNamespace(info=head, net_connections=connections)
    monkeypatch.setattr(psutil, "process_iter", lambda names: [process])
    assert cluster._is_own("127.0.0.1", 6379) == own


@pytest.mark.parametrize(
    "error, words",
    [
        (RuntimeError("No node info found matching attributes: ''"), "none of its nodes"),
        (RuntimeError("Version mismatch: It was started with:\n    Ray: 1.0\n"), "with: Ray: 1.0"),
        (None, "Failed to connect to Ray cluster at 10.0.0.1:1"),
    ],
)
def test_a_cluster_that_is_not_joined_says_why_and_where(error, words, monkeypatch):
    monkeypatch.setattr(cluster, "_check", lambda address: None)

    class Closed:
        def init(self, **options):
            raise ConnectionError("Failed to connect to Ray cluster at 10.0.0.1:1") from error

        def shutdown(self):
            pass

    with pytest.raises(cluster.ClusterError) as caught:
        cluster._join(Closed(), "10.0.0.1:1")
    assert words in caught.value.reason and caught.value.path == "10.0.0.1:1"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", [None, "127.0.0.1:1"])
def test_a_run_leaves_the_environment_as_it_was_and_ray_without_a_token(monkeypatch, address):
    for name in cluster._SETTINGS | cluster._ALONE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_BACKEND_LOG_LEVEL", "info")
    before, read, tokens = dict(os.environ), [], ["kept"]
    raylet = SimpleNamespace(
        Config=SimpleNamespace(initialize=lambda _: read.append(dict(os.environ))),
        AuthenticationTokenLoader=SimpleNamespace(
            instance=lambda: SimpleNamespace(reset_cache=tokens.clear)
        ),
    )
    ray = SimpleNamespace(shutdown=lambda: None, data=None)
    for name, module in (("ray", ray), ("ray.data", None), ("ray._raylet", raylet)):
        monkeypatch.setitem(sys.modules, name, module or SimpleNamespace())
    monkeypatch.setattr(cluster, "_start", lambda *_: None)
    monkeypatch.setattr(cluster, "_join", lambda *_: os.environ.update(RAY_AUTH_MODE="token"))
    monkeypatch.setattr(cluster, "_hush", lambda _: None)
    with cluster.running(address):
        during = dict(os.environ)
    assert during["RAY_AUTH_MODE"] == "token" and during["RAY_BACKEND_LOG_LEVEL"] == "info"
    assert ("RAY_AUTH_TOKEN" in during) == (address is None)
    assert dict(os.environ) == before and read == [before] and not tokens


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'pix2pix-color\[ray\]'"):
        with cluster.running():
            pass


class Died(Exception):
    """An actor's end; Ray gives the block to others, and drops it when they die, too."""


class FakeRay:
    """What a fleet uses of Ray, in this process; blocks come back twice where one is doubled."""

    def __init__(self, nodes=({"CPU": 2.0, "memory": 4 * GB},), *, doubled=False):
        self.doubled, self.blocks = doubled, []
        self.nodes = lambda: [{"Alive": True, "Resources": node} for node in nodes]
        self.available_resources = lambda: nodes[0]
        self.exceptions = SimpleNamespace(RayError=Died)
        context = SimpleNamespace()
        self.data = SimpleNamespace(
            DataContext=SimpleNamespace(get_current=lambda: context),
            ActorPoolStrategy=SimpleNamespace,
            from_items=self._given,
        )

    def _given(self, rows, *, override_num_blocks):
        assert override_num_blocks == len(rows)
        return SimpleNamespace(map_batches=partial(self._map, rows))

    def _map(self, rows, actor, *, fn_constructor_kwargs, **options):
        def batches(**_):
            import pyarrow

            made = actor(**fn_constructor_kwargs)
            self.blocks.append(len(rows))
            for row in rows:
                with suppress(Died):
                    done = pyarrow.Table.from_pydict(made(pyarrow.Table.from_pylist([row])))
                    yield from [done] * (2 if self.doubled else 1)

        return SimpleNamespace(iter_batches=batches)


def by(ray, monkeypatch, copy):
    monkeypatch.setattr(fleet, "running", lambda address: nullcontext(ray))
    return list(fleet.copy(filled(70), lambda: copy))


def test_a_photo_that_kills_its_actors_fails_alone(monkeypatch):
    def copy(jobs):
        for job in jobs:
            if job.source == "in/40":
                raise Died
            yield Record(job.source, "colored", job.dest)

    ray = FakeRay()
    records = by(ray, monkeypatch, copy)
    assert ray.blocks == [3, 32]  # those of the block that was lost, one by one
    assert sorted(record.path for record in records) == sorted(job.source for job in jobs(70))
    (failed,) = (record for record in records if record.status == "failed")
    assert failed.path == "in/40" and failed.again  # on a machine with more memory


def test_a_block_that_comes_back_twice_counts_once(monkeypatch):
    ray = FakeRay(doubled=True)
    records = by(ray, monkeypatch, lambda jobs: (Record(j.source, "colored") for j in jobs))
    assert len(records) == 70 and ray.blocks == [3]


def test_a_fleet_that_cannot_run_ends_the_run_in_one_record(tmp_path, monkeypatch):
    fill(tmp_path / "in", 2, gray, ".jpg")
    ray = FakeRay(({"CPU": 0.0, "memory": 4 * GB},))
    monkeypatch.setattr(fleet, "running", lambda address: nullcontext(ray))
    paths = runs.Paths([str(tmp_path / "in")], str(tmp_path / "out"))
    (record,) = run(paths, fleet=lambda blocks: fleet.copy(blocks, None))
    assert (record.status, record.code) == ("failed", "resources")
