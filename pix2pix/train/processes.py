"""The processes of a training run: how they start, on what device and precision, what they share.

Every process holds the whole networks and sees its share of each batch; after the backward pass
the gradients are averaged, so that all take the same step. That is all data-parallel training is.
"""

import logging
import os

import torch
import torch.distributed as dist
from lightning.fabric import Fabric
from lightning.fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor, nn

from pix2pix.errors import SettingError, one_line

PRECISIONS = {"bf16": "bf16-mixed", "fp16": "16-mixed", "fp32": "32-true"}


def native_precision(device: torch.device) -> str:
    """bf16 where the hardware has it, fp16 on older CUDA, else fp32."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
    if device.type == "cpu" and torch.cpu._is_avx512_bf16_supported():
        return "bf16"
    return "fp32"


def is_first() -> bool:
    """Whether this process has rank 0, by the environment variables of its launcher."""
    ranks = (os.environ.get(name) for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK"))
    return next((rank for rank in ranks if rank), "0") == "0"


def launch(
    *,
    accelerator: str = "auto",
    devices: int = 1,
    num_nodes: int = 1,
    precision: str = "auto",
) -> Fabric:
    """Start the processes of a run; each returns from here with its own Fabric.

    `accelerator` is "auto", "cpu", "cuda" or "mps", `devices` the number of processes a node.
    `precision` is "auto" (see `native_precision`), "bf16", "fp16" or "fp32". More than one process
    trains data-parallel, over gloo on CPU and NCCL on GPUs; those that torchrun or srun has started
    are taken. Raises SettingError.
    """
    if precision not in ("auto", *PRECISIONS):
        raise SettingError(f"trainer.precision={precision}: auto, {', '.join(PRECISIONS)}")
    for name in ("lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)  # its notes repeat the settings
    try:
        if precision == "auto":
            precision = native_precision(Fabric(accelerator=accelerator, devices=1).device)
        fabric = Fabric(
            accelerator=accelerator,
            devices=devices,
            num_nodes=num_nodes,
            strategy="ddp" if devices * num_nodes > 1 else "auto",
            precision=PRECISIONS[precision],  # type: ignore[arg-type]
        )
    except (MisconfigurationException, RuntimeError, ValueError) as error:
        raise SettingError(
            f"trainer.accelerator={accelerator} trainer.devices={devices}: {one_line(error)}"
        ) from error
    fabric.launch()
    return fabric


def average_over_processes(fabric: Fabric, tensors: list[Tensor]) -> None:
    """All-reduce: replace each tensor by its mean over all processes, in one message."""
    if fabric.world_size == 1 or not tensors:
        return
    flat = torch.cat([t.detach().float().flatten() for t in tensors])
    dist.all_reduce(flat)
    flat /= fabric.world_size
    for tensor, mean in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
        tensor.detach().copy_(mean.view_as(tensor))


def copy_from_first(fabric: Fabric, net: nn.Module) -> None:
    """Broadcast the parameters and buffers of process 0 to all."""
    if fabric.world_size > 1:
        for tensor in net.state_dict().values():
            dist.broadcast(tensor, src=0)


def any_process(fabric: Fabric, here: bool) -> bool:
    """Whether `here` is true in any process; all get the same answer."""
    flag = torch.tensor([float(here)], device=fabric.device)
    average_over_processes(fabric, [flag])
    return bool(flag.item())


def gather(fabric: Fabric, here: list[str]) -> list[str]:
    """All-gather: the lists of all processes, one after the other."""
    if fabric.world_size == 1:
        return here
    every: list[list[str]] = [[] for _ in range(fabric.world_size)]
    dist.all_gather_object(every, here)
    return [item for items in every for item in items]


def end_others(fabric: Fabric) -> None:
    """Kill the processes that this one started, which may wait for its next message for ever."""
    started = getattr(fabric.strategy.launcher, "procs", [])
    doomed = list(started)
    started.clear()  # Fabric watches this list, and would kill this process for the death of those
    for process in doomed:
        process.kill()
