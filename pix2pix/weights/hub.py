"""A model repo on the Hugging Face Hub: weights, their header as config.json, and a model card.

The layout is that of PyTorchModelHubMixin (config.json, model.safetensors, README.md), and
`Colorizer.from_pretrained("owner/name")` reads it. It has been tried against a server of our own
that speaks the Hub's API, LFS uploads included; the client's newer way, Xet, is untried, and no
call has met the real Hub yet.
"""

import dataclasses
import json
import sys
from pathlib import Path

from pix2pix.errors import ExportError
from pix2pix.templates import render
from pix2pix.weights.file import load
from pix2pix.weights.header import BUNDLED, HUB_FILE, Header, bundled, find

_MOST = 300  # characters of an error's line


def push_to_hub(source: str | Path, repo_id: str, *, overwrite: bool = False) -> str:
    """Push weights (see `weights.find`) to the model repo "owner/name" -> its address.

    The token is huggingface_hub's own: HF_TOKEN, or that of `hf auth login`. Raises ExportError
    for a repo that exists without `overwrite`, no token, no permission, or no network, and
    WeightsError for weights that cannot be used.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, get_token
    from huggingface_hub.utils import disable_progress_bars

    if repo_id.count("/") != 1:
        raise ExportError("a Hub repo is owner/name")
    path = find(source)
    _, header = load(path, task="color")  # what cannot be loaded is not published
    if not get_token():
        raise ExportError("no token: run `hf auth login`, or set HF_TOKEN")
    contents: dict[str, str | bytes] = {
        HUB_FILE: str(path),
        "config.json": json.dumps(dataclasses.asdict(header), indent=2).encode() + b"\n",
        "README.md": model_card(source, repo_id, header).encode(),
    }
    if not sys.stderr.isatty():
        disable_progress_bars()  # in a log its lines would bury the error's
    api = HfApi()
    made = False
    try:
        address = api.create_repo(repo_id, exist_ok=overwrite)
        made = not overwrite
        api.create_commit(
            repo_id,
            [CommitOperationAdd(name, content) for name, content in contents.items()],
            commit_message=f"Upload {header.name} with pix2pix export",
        )
    except Exception as error:  # the client has changed its HTTP library, and its errors, before
        again = "; the repo is made and empty, go on with --overwrite" if made else ""
        raise ExportError(_reason(error) + again) from error
    return str(address)


def model_card(source: str | Path, repo_id: str, header: Header) -> str:
    """README.md of the repo: the bundled weights' own card, or what the header says."""
    own = (BUNDLED / "README.md").read_text() if str(source) in bundled() else ""
    said = {k: v or "not said" for k, v in dataclasses.asdict(header).items()}
    card, net = Path(__file__).with_name("model_card.md"), json.dumps(said["generator"])
    return render(card, own=own, header=said, net=net, repo_id=repo_id)


def _reason(error: Exception) -> str:
    """One line for a person: what the Hub or the network said."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 409:
        return "this repo exists; give another name, or --overwrite"
    if status == 401:
        return "the Hub does not accept the token: run `hf auth login`, or set HF_TOKEN anew"
    if status == 403:
        return "the token has no permission to write there"
    lines = (str(error).strip() or type(error).__name__).splitlines()
    return f"not pushed to the Hub: {lines[0][:_MOST]}"
