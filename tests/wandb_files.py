"""Reads the file that W&B's client writes offline: records of protobuf in blocks of 32 KB.

Their frame is LevelDB's: https://github.com/google/leveldb/blob/main/doc/log_format.md
"""

import json
import struct
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

BLOCK, HEAD, FILE_HEAD = 32768, 7, 7
WHOLE, LAST = 1, 4  # kinds of a piece that end a record; 2 and 3 go on


class OfflineRun:
    """What lies in one offline-run-* folder: `id`, `config`, and `history`, a dict a step."""

    def __init__(self, folder: Path):
        self.folder, self.id, self.config, self.history = folder, "", {}, {}
        for record in records(next(folder.glob("*.wandb"))):
            if record.run.run_id:
                self.id = record.run.run_id
                self.config |= values(record.run.config.update)
            if record.history.item:
                row = values(record.history.item)
                self.history[row["_step"]] = row


def records(path: Path):
    data, place, held = path.read_bytes(), FILE_HEAD, b""
    while place + HEAD <= len(data):
        if (left := BLOCK - place % BLOCK) < HEAD:
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + HEAD])
        held += data[place + HEAD : place + HEAD + length]
        place += HEAD + length
        if kind in (WHOLE, LAST):
            yield wandb_internal_pb2.Record.FromString(held)
            held = b""


def values(items) -> dict[str, Any]:
    """{"l1": 0.5, "val": {"path": ...}} of a record's items."""
    found: dict[str, Any] = {}
    for item in items:
        *outer, last = item.nested_key or [item.key]
        inside = found
        for key in outer:
            inside = inside.setdefault(key, {})
        inside[last] = json.loads(item.value_json)
    return found
