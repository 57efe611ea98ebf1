"""Fleet: the photos of a run copied by actors of Ray Data, on one machine or on many.

What goes through Ray are jobs and what became of them, a few hundred bytes each, in blocks of a few
photos; an actor reads and writes the photos themselves. Ray starts an actor again that died and
gives it its block once more: what it had put is there and stays, so that nothing is made twice. A
photo whose actor dies every time is a failure of its own, and the others go on.

What is done, the listing of the outputs says, as for every run. Ray Data's own CheckpointConfig
(2.60, beta) was left: it knows keys and no outputs, so that one that failed or was deleted would be
done; it works only from a read to a write of Ray's, which take cores beside the actors; and a
second run waits for the first one's keys to be read.
"""

import pickle
import re
from collections.abc import Callable, Iterator
from typing import Any

from pix2pix.archives.actors import Actor, Copier
from pix2pix.archives.blocks import Blocks
from pix2pix.archives.cluster import ClusterError, Size, plan, running
from pix2pix.colorize.jobs import Record, failure
from pix2pix.errors import Failure

_RETRIES = 1  # of a block whose actor died; every new one takes seconds to start
_RAISED = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception): ")  # how a traceback ends
_PATIENCE = 300  # seconds in which the first actor must be there


def copy(
    blocks: Blocks,
    open: Callable[[], Copier],
    *,
    address: str | None = None,
    gpu: bool | None = None,
) -> Iterator[Record]:
    """Copy blocks of jobs by actors -> the records, in the order in which they are done.

    `open` travels to each actor and is called there, on the cluster at `address` or one of this
    machine's own. `gpu`: whether an actor takes a GPU; None: where there is one. Raises NotEnough
    where no actor can run, and ClusterError, also for what `open` raises.
    """
    if not blocks:
        return
    with running(address) as ray:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        gpu = any(node.get("GPU") for node in nodes) if gpu is None else gpu
        free = ray.available_resources().get("CPU", 0.0)
        size = plan(nodes, most=len(blocks), gpu=gpu, free=free)
        yield from _run(ray, blocks, open, size, ahead=1)
        if blocks:  # whose actors died; one by one, so that one of them takes no other along
            blocks = blocks.singly()
            yield from _run(ray, blocks, open, size, ahead=0)
    for job in blocks.jobs():
        why = "whatever worked on it died each time, as for want of memory"
        yield failure(job.source, Failure(why, again=True))  # where there is more memory


def _run(
    ray: Any, blocks: Blocks, open: Callable[[], Copier], size: Size, *, ahead: int
) -> Iterator[Record]:
    """One pass over blocks -> the records that came back; those of dead actors do not.

    `ahead` blocks wait at an actor, and are lost with the one that it died of.
    """
    context = ray.data.DataContext.get_current()
    context.max_errored_blocks = -1  # what is lost is counted here
    context.wait_for_min_actors_s = _PATIENCE
    pool = {"min_size": 1, "max_size": size.actors, "initial_size": size.actors}
    rows = [{"block": number, "jobs": jobs} for number, jobs in blocks.packed().items()]
    # not from_arrow, which starts workers to look at each table
    given = ray.data.from_items(rows, override_num_blocks=len(rows))
    done = given.map_batches(
        Actor,
        fn_constructor_kwargs={"open": open, "cores": size.cores},
        batch_size=None,
        batch_format="pyarrow",
        zero_copy_batch=True,
        compute=ray.data.ActorPoolStrategy(**pool, max_tasks_in_flight_per_actor=1 + ahead),
        num_cpus=size.cores,
        num_gpus=size.gpus or None,
        memory=size.memory,
        max_restarts=-1,
        max_task_retries=_RETRIES,
    )
    try:
        for batch in done.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            for row in batch.to_pylist():
                if blocks.take(row["block"]):
                    yield from pickle.loads(row["records"])
    except (ray.exceptions.RayError, RuntimeError) as error:
        raise ClusterError(_reason(error)) from error


def _reason(error: BaseException | None) -> str:
    """What went wrong, in one line: the last of the first traceback that says something."""
    while error is not None:
        said = str(error).strip().splitlines()
        if said:
            return _RAISED.sub("", said[-1])
        error = error.__cause__ or error.__context__
    return "Ray gave up"
