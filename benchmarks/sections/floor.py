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


def by_onnxruntime(side: int) -> Callable[[], object] | None:
    """A product in fp32 by ONNX Runtime, whose kernels are faster than torch's on some processors.

    None where it, or onnx, which writes the graph, is not installed.
    """
    try:
        import onnxruntime
        from onnx import TensorProto, helper
    except ImportError:
        return None
    a, b, c = (helper.make_tensor_value_info(x, TensorProto.FLOAT, [side, side]) for x in "abc")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"])], "product", [a, b], [c]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # its threads would wait in a loop while others are measured
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    file, cpu = model.SerializeToString(), ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(file, options, providers=cpu)
    given = {x: np.random.default_rng(0).random((side, side), np.float32) for x in "ab"}
    return partial(session.run, None, given)


def clock() -> str:
    """On one thread the processor's time, which other work lengthens least."""
    return "cpu" if torch.get_num_threads() == 1 else "wall"


def fastest(side: int) -> Callable[[], object]:
    """The product in fp32 that is fastest here, on the threads that torch has."""
    works = {"torch": products(side)["fp32"]}
    if other := by_onnxruntime(side):
        works["ONNX Runtime"] = other
    times = turns(works, 2)
    return works[min(works, key=lambda name: times[name].median(clock()))]


def rate(side: int, rounds: int, name: str) -> float:
    """GFLOP/s of torch's product in "fp32" or "bf16"."""
    return 2e-9 * side**3 / turns({0: products(side)[name]}, rounds)[0].median(clock())


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


def speeds(plan: Plan) -> Iterator[Figure]:
    """Of matrix products."""
    alone = 0.0
    for threads in dict.fromkeys((1, min(2, cores()))):
        torch.set_num_threads(threads)
        works = products(plan.gemm)
        if other := by_onnxruntime(plan.gemm):
            works["fp32, ONNX Runtime"] = other
        took = turns(works, plan.rounds)
        for name, times in took.items():
            speed = 2e-9 * plan.gemm**3 / times.median(clock())
            unit = "GOP/s" if name == "int8" else "GFLOP/s"
            ratio, of = took["fp32"].ratio(times, clock()), f"fp32, {on(threads)}"
            if name == "fp32":
                alone = alone or speed
                ratio, of = speed / alone, "fp32, 1 thread"
            yield Figure(f"GEMM {name}, {on(threads)}", speed, unit, ratio, of)


def run(plan: Plan) -> Iterator[Figure]:
    yield from speeds(plan)
    source, target = np.ones(COPIED, np.uint8), np.empty(COPIED, np.uint8)
    photos = {gray: jpeg(gray) for gray in (False, True)}
    works: dict[str, Callable[[], object]] = {"copy": partial(np.copyto, target, source)}
    for gray, (pixels, file) in photos.items():
        kind = "gray" if gray else "RGB"
        image = Image.fromarray(pixels)
        works[f"decode, {kind}"] = partial(decode, file)
        works[f"encode, {kind}"] = partial(encode, image)
    took = turns(works, plan.rounds)
    second = COPIED / took["copy"].median()
    yield Figure("memory copy, 1 thread", second / 1e9, "GB/s")
    for name in list(works)[1:]:
        pixels, _ = photos["gray" in name]
        yield Figure(
            f"Pillow, 12 MP JPEG, {name}",
            took[name].median() * 1e3 / (pixels.shape[0] * pixels.shape[1] / 1e6),
            "ms/MP",
            took[name].median() / (pixels.nbytes / second),
            "copy of its pixels",
        )
