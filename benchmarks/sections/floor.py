"""What the machine can do at best: matrix products, copies, and Pillow's JPEG."""

import io
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from harness import Figure, Plan, cores, on, turns
from pictures import QUALITY, picture, sides
from PIL import Image

COPIED = 2**27  # bytes, many times any cache


def products(side: int) -> dict[str, Callable[[], object]]:
    """Matrix products by precision. int8 only where torch has a kernel."""
    works: dict[str, Callable[[], object]] = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        a, b = (torch.randn(side, side).to(dtype) for _ in range(2))
        works[name] = partial(torch.matmul, a, b)
    c, d = (torch.randint(-9, 9, (side, side), dtype=torch.int8) for _ in range(2))
    try:
        torch._int_mm(c, d)
        works["int8"] = partial(torch._int_mm, c, d)
    except (AttributeError, NotImplementedError, RuntimeError):
        pass
    return works


def gemm(side: int, rounds: int, dtype: torch.dtype = torch.float32) -> float:
    """GFLOP/s of a matrix product, on the threads that torch has."""
    a, b = (torch.randn(side, side).to(dtype) for _ in range(2))
    return 2e-9 * side**3 / turns({0: partial(torch.matmul, a, b)}, rounds)[0].median()


def jpeg(gray: bool) -> tuple[np.ndarray, bytes]:
    """The picture of 12 MP, and its file."""
    image = Image.fromarray(picture(*sides(12))).convert("L" if gray else "RGB")
    image.save(buffer := io.BytesIO(), "JPEG", quality=QUALITY)
    return np.asarray(image), buffer.getvalue()


def decode(data: bytes) -> None:
    with Image.open(io.BytesIO(data)) as image:
        image.load()


def encode(image: Image.Image) -> None:
    image.save(io.BytesIO(), "JPEG", quality=QUALITY)


def run(plan: Plan) -> Iterator[Figure]:
    speed: dict[tuple[str, int], float] = {}
    for threads in dict.fromkeys((1, min(2, cores()))):
        torch.set_num_threads(threads)
        clock = "cpu" if threads == 1 else "wall"
        for name, times in turns(products(plan.gemm), plan.rounds).items():
            speed[name, threads] = rate = 2e-9 * plan.gemm**3 / times.median(clock)
            first = ("fp32", 1) if name == "fp32" else ("fp32", threads)
            unit = "GOP/s" if name == "int8" else "GFLOP/s"
            yield Figure(
                f"GEMM {name}, {on(threads)}",
                rate,
                unit,
                rate / speed[first],
                f"{first[0]}, {on(first[1])}",
            )
    source, target = np.ones(COPIED, np.uint8), np.empty(COPIED, np.uint8)
    photos = {gray: jpeg(gray) for gray in (False, True)}
    works: dict[str, Callable[[], object]] = {"copy": partial(np.copyto, target, source)}
    for gray, (pixels, file) in photos.items():
        kind = "gray" if gray else "RGB"
        image = Image.fromarray(pixels)
        works[f"decode, {kind}"] = partial(decode, file)
        works[f"encode, {kind}"] = partial(encode, image)
    times = turns(works, plan.rounds)
    second = COPIED / times["copy"].median()
    yield Figure("memory copy, 1 thread", second / 1e9, "GB/s")
    for name in list(works)[1:]:
        pixels, _ = photos["gray" in name]
        yield Figure(
            f"Pillow, 12 MP JPEG, {name}",
            times[name].median() * 1e3 / (pixels.shape[0] * pixels.shape[1] / 1e6),
            "ms/MP",
            times[name].median() / (pixels.nbytes / second),
            "copy of its pixels",
        )
