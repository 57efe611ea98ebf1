"""Weights files: what goes in comes out, and nothing from a stranger does harm."""

import http.server
import json
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from bad_inputs.outcomes import peak_megabytes
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pix2pix import __version__
from pix2pix.errors import WeightsError, one_line
from pix2pix.nets import build_generator, config_of
from pix2pix.weights import Header, load, read_header, save
from pix2pix.weights import header as weights

SMALL = {
    "UNet": {"net": "UNet", "width": 2, "depth": 3},
    "DoubleConvUNet": {"net": "DoubleConvUNet", "width": 2, "depth": 2},
    "BackboneUNet": {"net": "BackboneUNet", "decoder": [4, 4, 4, 4], "bottleneck": 4},
}


@pytest.fixture
def net():
    torch.manual_seed(0)
    return build_generator(SMALL["UNet"]).eval()


@pytest.fixture
def file(net, tmp_path):
    save(tmp_path / "net.safetensors", net, Header(config_of(net), name="tiny"))
    return tmp_path / "net.safetensors"


def forge(path, net, header):
    """A file of the net's tensors with any header: what a stranger might send."""
    raw = header if isinstance(header, str) else json.dumps(header)
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, path, {"pix2pix": raw})
    return path


# ---- there and back


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_float32_round_trip_is_exact(name, tmp_path):
    torch.manual_seed(0)
    net = build_generator(SMALL[name])
    net.train()(torch.rand(2, 1, 64, 64))  # so that running statistics are not the initial ones
    net.eval()
    path = tmp_path / "net.safetensors"
    save(path, net, Header(config_of(net)), dtype=torch.float32)
    again, _ = load(path)
    x = torch.rand(1, 1, 64, 64)
    assert torch.equal(again(x), net(x))
    for key, tensor in net.state_dict().items():
        assert torch.equal(again.state_dict()[key], tensor)
        assert again.state_dict()[key].dtype == tensor.dtype


def test_float16_is_the_default_and_half_the_bytes(net, tmp_path):
    save(tmp_path / "16.safetensors", net, Header(config_of(net)))
    save(tmp_path / "32.safetensors", net, Header(config_of(net)), dtype=torch.float32)
    stored = load_file(tmp_path / "16.safetensors")
    assert {v.dtype for v in stored.values()} == {torch.float16}
    sizes = [(tmp_path / f"{n}.safetensors").stat().st_size for n in (16, 32)]
    saved = 2 * sum(v.numel() for v in stored.values())
    assert sizes[1] - sizes[0] == pytest.approx(saved, abs=64)  # the header's length differs
    again, _ = load(tmp_path / "16.safetensors")
    assert {v.dtype for v in again.state_dict().values()} == {torch.float32}
    x = torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(again(x), net(x), atol=1e-3, rtol=0)


def test_integers_stay_integers_and_what_float16_cannot_hold_stays_float32(tmp_path):
    net = build_generator(SMALL["DoubleConvUNet"])
    norm = net.down[0][1]
    norm.running_var[0], norm.num_batches_tracked = 1e6, torch.tensor(2**40 + 1)
    save(tmp_path / "net.safetensors", net, Header(config_of(net)))
    again = load(tmp_path / "net.safetensors")[0].down[0][1]
    assert again.running_var[0] == 1e6
    assert again.num_batches_tracked == 2**40 + 1


def test_the_same_weights_give_the_same_bytes(net, tmp_path):
    header = Header(config_of(net), name="a", arguments={"lr": 1.0, "l1": 2})
    files = [tmp_path / f"{i}.safetensors" for i in range(3)]
    save(files[0], net, header)
    header.arguments = {"l1": 2, "lr": 1.0}  # the order of keys is no content
    save(files[1], net, header)
    again, read = load(files[0])
    save(files[2], again, read)
    assert files[0].read_bytes() == files[1].read_bytes() == files[2].read_bytes()


def test_the_header_survives(net, tmp_path):
    header = Header(config_of(net), "old", "unet_l1", {"lr": 1e-3}, steps=7, data="12 photos")
    header.area, header.large_area, header.saturation = 128 * 128, 160 * 160, 1.2
    save(tmp_path / "net.safetensors", net, header)
    assert (
        read_header(tmp_path / "net.safetensors") == load(tmp_path / "net.safetensors")[1] == header
    )
    assert header.version == __version__ and header.ab_scale == 110 and header.head == "ab"
    assert header.task == "color"


def test_in_channels_are_the_generators(tmp_path):
    net = build_generator({**SMALL["UNet"], "in_channels": 4})
    save(tmp_path / "net.safetensors", net, Header(config_of(net)))
    again, header = load(tmp_path / "net.safetensors")
    assert header.in_channels == 4
    assert again(torch.rand(1, 4, 8, 8)).shape == (1, 2, 8, 8)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_what_is_loaded_is_for_use(dtype, net, tmp_path):
    path = tmp_path / "net.safetensors"
    save(path, net, Header(config_of(net)), dtype=dtype)
    again, _ = load(path)
    assert not any(m.training for m in again.modules())
    assert not any(p.requires_grad for p in again.parameters())
    before = again(torch.ones(1, 1, 8, 8))
    with path.open("r+b") as file:  # overwritten while in use
        file.write(b"\1" * path.stat().st_size)
    assert torch.equal(again(torch.ones(1, 1, 8, 8)), before)


def test_a_file_that_cannot_be_written_is_an_os_error(net, tmp_path):
    with pytest.raises(FileNotFoundError):
        save(tmp_path / "missing" / "net.safetensors", net, Header(config_of(net)))
    if Path("/dev/full").exists():
        with pytest.raises(OSError, match="No space left"):
            save("/dev/full", net, Header(config_of(net)))


@pytest.mark.slow
def test_loading_needs_no_torchvision_and_no_symbolic_mathematics(file):
    """`pix2pix colorize` waits for every import: these two cost 4 s."""
    code = (
        "import sys; from pix2pix import weights; "
        f"weights.load({str(file)!r}); "
        "sys.exit(str({'torchvision', 'sympy', 'lightning'} & set(sys.modules) or '') or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ---- names


def test_bundled_weights_are_found_by_name(file, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "BUNDLED", tmp_path)
    file.rename(tmp_path / "default.safetensors")
    (tmp_path / "README.md").touch()
    assert weights.bundled() == ["default"]
    assert load("default")[1].name == "tiny"
    with pytest.raises(
        WeightsError, match=r"sepia: no such weights; give default, a \.safetensors or \.onnx"
    ):
        load("sepia")


def test_a_package_without_bundled_weights_says_what_else_there_is(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "BUNDLED", tmp_path / "pretrained")
    assert weights.bundled() == []
    with pytest.raises(
        WeightsError, match=r"default: no such weights; give a \.safetensors or \.onnx file"
    ):
        load("default")


@pytest.mark.parametrize("name", ["pix2pix", "pix2pix-l1"])
def test_a_package_without_the_course_s_weights_says_where_they_are(name, tmp_path, monkeypatch):
    assert name in weights.bundled()  # in a checkout
    monkeypatch.setattr(weights, "BUNDLED", tmp_path / "pretrained")
    with pytest.raises(WeightsError, match=rf"^{name}: not in this package; .*/pix2pix/pretrained"):
        load(name)


@pytest.mark.parametrize(
    "source", ["missing.safetensors", "runs/missing.safetensors", "./a/b", "/a/b", "a/b/c", ""]
)
def test_a_path_that_is_not_there_is_not_asked_of_the_hub(source, monkeypatch):
    monkeypatch.setattr(weights, "_from_hub", lambda text: pytest.fail("asked the Hub"))
    with pytest.raises(WeightsError, match=f"^{source}: no such weights"):
        load(source)


def test_a_folder_is_no_weights(tmp_path):
    with pytest.raises(WeightsError, match="no such weights"):
        load(tmp_path)


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of the Hugging Face Hub as one download needs."""

    content = b""

    def do_HEAD(self):
        found = self.path == "/owner/colors/resolve/main/model.safetensors"
        self.send_response(200 if found else 404)
        if found:
            self.send_header("ETag", '"0123"')
            self.send_header("X-Repo-Commit", "a" * 40)
            self.send_header("Content-Length", str(len(self.content)))
        else:
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()
        self.wfile.write(self.content)

    def log_message(self, *args):
        pass


def from_hub(repo_id, endpoint, home):
    """Load weights in a fresh process that takes `endpoint` for the Hub."""
    code = f"from pix2pix import weights; print(weights.load({repo_id!r})[1].name)"
    env = {
        **os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    return done.stdout.strip(), done.stderr.strip().splitlines()[-1:]


@pytest.mark.slow
def test_a_repo_id_is_fetched_from_the_hub(file, tmp_path):
    Hub.content = file.read_bytes()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        assert from_hub("owner/colors", endpoint, tmp_path / "hf") == ("tiny", [])
        _, (error,) = from_hub("owner/none", endpoint, tmp_path / "hf")
        assert "WeightsError: owner/none: no such file, and not fetched from the Hugging" in error
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("reason", ["no network", ""])
def test_an_unreachable_hub_is_one_line(reason, monkeypatch):
    import huggingface_hub

    def unreachable(repo_id, filename):
        assert (repo_id, filename) == ("owner/colors", "model.safetensors")
        raise ConnectionError(f"{reason}\nat length")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", unreachable)
    with pytest.raises(WeightsError) as caught:
        load("owner/colors")
    assert str(caught.value).startswith("owner/colors: no such file, and not fetched from the Hugg")
    assert "\n" not in str(caught.value)


# ---- broken and foreign files


def test_a_truncated_file_is_refused_wherever_it_is_cut(file):
    whole = file.read_bytes()
    for share in (0, 0.001, 0.01, 0.05, 0.3, 0.9, 0.999):
        file.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(WeightsError, match=r"net\.safetensors: not a safetensors file"):
            load(file)


class Canary:
    """Sings when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("write", [lambda x, p: p.write_bytes(pickle.dumps(x)), torch.save])
@pytest.mark.parametrize("name", ["net.safetensors", "net.pt", "net.bin"])
def test_a_pickle_is_never_unpickled(write, name, tmp_path):
    canary = Canary(tmp_path / "sang")
    write(canary, tmp_path / name)
    with pytest.raises(WeightsError, match=name):
        load(tmp_path / name)
    assert not canary.path.exists()


def test_foreign_safetensors_are_refused(net, tmp_path):
    for i, metadata in enumerate((None, {"format": "pt"})):
        save_file(dict(net.state_dict()), tmp_path / f"{i}.safetensors", metadata)
        with pytest.raises(
            WeightsError, match=rf"{i}\.safetensors.* without this package's header"
        ):
            load(tmp_path / f"{i}.safetensors")


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "null", "[" * 100_000, '{"generator": 1}'])
def test_a_header_that_is_no_header_is_refused(text, net, tmp_path):
    path = forge(tmp_path / "net.safetensors", net, text)
    with pytest.raises(WeightsError, match=r"net\.safetensors: its header"):
        load(path)


def test_keys_of_later_versions_are_passed_over(net, tmp_path):
    header = {"generator": config_of(net), "name": "later", "license": "MIT", "future": {"a": [1]}}
    assert load(forge(tmp_path / "net.safetensors", net, header))[1].name == "later"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("area", 10**18), ("area", 4096 * 4096), ("area", 1024 * 1024 + 1),
        ("area", 0), ("area", "65536"), ("area", True), ("area", 1e4),
        ("large_area", 0), ("large_area", 1024 * 1024 + 1), ("large_area", False),
        ("steps", -1), ("saturation", float("nan")), ("saturation", 1e9), ("saturation", "1"),
        ("ab_scale", 100.0), ("task", "paint"), ("task", 1),
        ("name", ["a"]), ("recipe", None), ("arguments", []), ("data", 3),
    ],
)  # fmt: skip
def test_a_header_may_say_nothing_that_cannot_be_meant(key, value, net, tmp_path):
    path = forge(tmp_path / "net.safetensors", net, {"generator": config_of(net), key: value})
    with pytest.raises(WeightsError, match=rf"net\.safetensors: its header says {key}="):
        load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 3}, r"tensors differ \(down\.0\.0\.bias: \[2\] for \[3\]"),
        ({"depth": 4}, "tensors differ"),
        ({"skips": False}, "tensors differ"),
        ({"in_channels": 2}, "tensors differ"),
        ({"out_channels": 3}, "header says .ab., its net predicts .rgb."),
        ({"net": "DoubleConvUNet", "width": 2, "depth": 2}, "takes no"),
        ({"net": "Popen"}, "generator class 'Popen'"),
        ({"net": ["UNet"]}, "unhashable|one of"),
        ({"spell": 1}, "UNet takes no 'spell'"),
        ({"weights": "download"}, "names other weights"),
        ({"depth": 10**9}, "1 to 12"),
        ({"depth": -1}, "1 to 12"),
        ({"depth": "8"}, ""),
        ({"depth": 2.5}, ""),
        ({"width": 10**30}, ""),
        ({"width": -2}, ""),
        ({"width": "2"}, ""),
        ({"width": [2]}, ""),
        ({"width": None}, ""),
        ({"dropout": 7}, ""),
    ],
)
def test_a_header_of_another_net_is_refused(change, message, net, tmp_path):
    path = forge(tmp_path / "net.safetensors", net, {"generator": {**config_of(net), **change}})
    with pytest.raises(WeightsError, match=rf"net\.safetensors: does not fit its net: .*{message}"):
        load(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [
        # about 1 GB each: enough to be seen, and harmless where this test fails
        {"net": "UNet", "width": 150},
        {"net": "UNet", "width": 2, "depth": 3, "in_channels": 10**7},
        {"net": "DoubleConvUNet", "width": 64, "depth": 6},
        {"net": "BackboneUNet", "bottleneck": 2 * 10**5},
        {"net": "BackboneUNet", "in_channels": 10**7},
    ],
)
def test_a_header_cannot_ask_for_memory(config, net, tmp_path):
    path = forge(tmp_path / "net.safetensors", net, {"generator": config})

    def refuse():
        with pytest.raises(WeightsError, match="tensors differ|in_channels=10000000: 1, or 4"):
            load(path)

    assert peak_megabytes(refuse) < 50


# the generator of a header as version 0.1.0 wrote it
OLD = (
    '{"depth": 3, "dropout": 0.5, "in_channels": 1, "leaky_skips": %s, "net": "UNet", '
    '"norm": "%s", "out_channels": 2, "padding": "%s", "skips": true, "width": 2}'
)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (("false", "instance", "zeros"), "UNet"),
        (("true", "instance", "reflect"), "UNetVariant"),
        (("false", "batch", "zeros"), "UNetVariant"),
    ],
)
def test_headers_of_before_the_variants_had_a_class(values, kind, tmp_path):
    changed = {"leaky_skips": json.loads(values[0]), "norm": values[1], "padding": values[2]}
    arguments = changed if kind == "UNetVariant" else {}
    net = build_generator({**SMALL["UNet"], "net": kind, **arguments}).eval()
    generator = OLD % values
    header = f'{{"ab_scale": 110.0, "generator": {generator}, "head": "ab", "in_channels": 1}}'
    again, _ = load(forge(tmp_path / "old.safetensors", net, header))
    assert type(again).__name__ == kind and config_of(again) == config_of(net)
    L = torch.rand(1, 1, 16, 16)
    assert torch.equal(again(L), net(L))


@pytest.mark.parametrize(
    ("change", "message"),
    [({"norm": "layer"}, "norm='layer': one of instance, batch"), ({"norm": []}, "one of")],
)
def test_a_variant_that_never_was_is_refused(change, message, net, tmp_path):
    path = forge(tmp_path / "a.safetensors", net, {"generator": {**config_of(net), **change}})
    with pytest.raises(WeightsError, match=message):
        load(path)


def test_a_net_that_enlarged_by_shuffling_is_no_more(tmp_path):
    net = build_generator(SMALL["BackboneUNet"])
    header = {"generator": {**config_of(net), "up": "shuffle"}}
    path = forge(tmp_path / "a.safetensors", net, header)
    with pytest.raises(WeightsError, match="a.safetensors: .*up='shuffle': nearest or bilinear"):
        load(path)


def test_a_header_cannot_open_other_files(tmp_path, monkeypatch):
    from pix2pix.nets import backbones

    net = build_generator(SMALL["BackboneUNet"])
    monkeypatch.setattr(backbones, "load_file", lambda path: pytest.fail(f"opened {path}"))
    header = {"generator": {**config_of(net), "weights": "/etc/passwd"}}
    with pytest.raises(WeightsError, match="names other weights"):
        load(forge(tmp_path / "net.safetensors", net, header))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_of_a_run_that_diverged_are_refused(value, net, tmp_path):
    next(net.parameters()).data[0] = value
    save(tmp_path / "net.safetensors", net, Header(config_of(net)))
    with pytest.raises(WeightsError, match="NaN or infinity among its weights"):
        load(tmp_path / "net.safetensors")


@pytest.mark.slow
def test_flipped_bits_never_end_in_anything_but_weights_or_an_error(file):
    whole = bytearray(file.read_bytes())
    for position in range(0, min(len(whole), 6000), 41):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << position % 8
        file.write_bytes(flipped)
        try:
            load(file)
        except WeightsError as error:
            assert str(file) in str(error)


def test_a_missing_or_extra_tensor_is_named(net, tmp_path):
    state = dict(net.state_dict())
    metadata = {"pix2pix": json.dumps({"generator": config_of(net)})}
    state["extra"] = torch.zeros(3)
    del state["down.0.0.bias"]
    save_file(state, tmp_path / "net.safetensors", metadata)
    with pytest.raises(
        WeightsError, match=r"down\.0\.0\.bias: None for \[2\]; extra: \[3\] for None"
    ):
        load(tmp_path / "net.safetensors")


def test_integers_for_weights_are_refused_or_read(net, tmp_path):
    state = {k: (v * 100).int() for k, v in net.state_dict().items()}
    save_file(
        state, tmp_path / "i.safetensors", {"pix2pix": json.dumps({"generator": config_of(net)})}
    )
    with pytest.raises(WeightsError, match="floating point"):
        load(tmp_path / "i.safetensors")


def test_one_metadata_key_holds_everything(file):
    with safe_open(file, "pt") as opened:
        assert list(opened.metadata()) == ["pix2pix"]


@pytest.mark.parametrize(
    "name",
    [
        "owner/name\n",
        "owner/na\nme",
        "a\x1b[31m/b",
        "",
        "x" * 300,
        "x" * 5000,
        "a\0b",
        "a b/c",
        "\n",
    ],
)
def test_a_name_that_is_none_is_one_line_and_not_asked_of_the_hub(name, monkeypatch):
    monkeypatch.setattr(weights, "_from_hub", lambda repo_id: pytest.fail("asked the Hub"))
    with pytest.raises(weights.WeightsError) as caught:
        weights.find(name)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400


def test_an_error_of_a_library_is_one_plain_line():
    assert one_line(ValueError("")) == "ValueError"
    assert one_line(ValueError("\n")) == "ValueError"
    assert one_line(ValueError("\x1b[1ma\tb\x1b[0m\nmore")) == "a b"
    assert one_line(KeyError("x")) == "'x'"


def test_a_header_of_the_largest_area_is_read(net, tmp_path):
    header = Header(config_of(net), area=weights.MOST_PIXELS)
    save(tmp_path / "net.safetensors", net, header)
    assert weights.read_header(tmp_path / "net.safetensors").area == 1024 * 1024
