"""The network file: whole or refused, never a traceback of another kind, never executed, never half written."""

from __future__ import annotations

import json
import os
import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save as to_bytes

from hrsnn import network_file
from hrsnn._checks import FileError
from hrsnn.network import Network, columns_of, facts_of
from hrsnn.network_file import load, load_tensors, save, save_tensors, write_atomically
from networks import random_network


@pytest.fixture
def network() -> Network:
    net = random_network(np.random.default_rng(0), n=4, n_inputs=2, longest_delay=3)
    return replace(net, provenance={"seed": 0, "history": ["built"], "note": 'ü "quoted" 1e-05'})


@pytest.fixture
def path(tmp_path: Path, network: Network) -> Path:
    save(network, tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


def test_loaded_is_equal_and_has_the_hash(path: Path, network: Network) -> None:
    assert load(path) == network
    assert load(str(path)).hash == network.hash


def test_the_digest_in_the_file_is_the_hash_of_the_network(path: Path, network: Network) -> None:
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    assert list(metadata) == ["hrsnn"]  # several keys would come in random order
    meta = json.loads(metadata["hrsnn"])
    assert meta["sha256"] == network.hash
    assert (meta["schema"], meta["units"]["time"]) == ("hrsnn.network/1", "ms")
    assert metadata["hrsnn"] == json.dumps(meta, sort_keys=True)


def test_every_save_gives_the_same_bytes(path: Path, network: Network, tmp_path: Path) -> None:
    for k in range(5):
        save(load(path) if k % 2 else network, tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_every_flipped_byte_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    n_header = 8 + struct.unpack("<Q", whole[:8])[0]
    rng = np.random.default_rng(0)
    places = [*range(16), n_header - 1, n_header, len(whole) - 1]  # length, first brace, padding, first and last datum
    places += [*range(whole.index(b'"hrsnn'), whole.index(b'"hrsnn') + 40)]
    places += rng.integers(16, n_header, 150).tolist() + rng.integers(n_header, len(whole), 100).tolist()
    for k, place in enumerate(places):
        flipped = bytearray(whole)
        flipped[place] ^= (0xFF, 1, 2, 0x20)[k % 4] if place >= 16 else 1  # 0x20 swaps upper and lower case
        path.write_bytes(flipped)
        with pytest.raises(FileError):
            load(path)
    path.write_bytes(whole)
    load(path)


def test_a_change_that_json_does_not_see_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for old, new in ((b"\\\\u00fc", b"\\\\u00FC"), (b": 1.0, ", b":1.0,  ")):
        assert old in whole
        path.write_bytes(whole.replace(old, new, 1))
        with pytest.raises(FileError, match="was changed since it was written"):
            load(path)


@pytest.mark.parametrize("keep", [0, 4, 8, 100, -1])
def test_truncated(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FileError, match="truncated or not a safetensors file"):
        load(path)


def test_missing_and_directory(tmp_path: Path) -> None:
    for path in (tmp_path / "no.safetensors", tmp_path):
        with pytest.raises(FileError, match="does not exist; give the path of a"):
            load(path)


def test_another_kind_of_file(tmp_path: Path) -> None:
    for name, content in (
        ("text", b"[network]\nn_neurons = 5\n"),
        ("zip", b"PK\x03\x04" + bytes(100)),
        ("huge", b"\xff" * 64),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileError, match="not a safetensors file"):
            load(tmp_path / name)


def forged(path: Path, network: Network, columns: dict[str, Any] | None = None, **facts: Any) -> Path:
    """A file with a right digest over wrong content; None leaves a fact out."""
    meta = {key: value for key, value in {**facts_of(network), **facts}.items() if value is not None}
    save_tensors(path, {**columns_of(network), **(columns or {})}, meta)
    return path


def test_other_schema(path: Path, network: Network) -> None:
    forged(path, network, schema="hrsnn.network/3")
    with pytest.raises(
        FileError,
        match=re.escape("holds hrsnn.network/3, this version of hrsnn reads hrsnn.network/1 and hrsnn.network/2"),
    ):
        load(path)


@pytest.mark.parametrize(
    "metadata",
    [None, {"format": "np"}, {"hrsnn": "not json"}, {"hrsnn": "[1]"}, {"hrsnn": "{}"}, {"hrsnn": "null"},
     {"hrsnn": "[" * 100_000}, {"hrsnn": '{"schema": NaN, "sha256": 1}'}],
)  # fmt: skip
def test_metadata_of_others(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    (tmp_path / "other").write_bytes(to_bytes({"x": np.zeros(3)}, metadata=metadata))
    with pytest.raises(FileError):
        load(tmp_path / "other")


def test_a_second_metadata_key_is_refused(path: Path, network: Network) -> None:
    with safe_open(path, framework="numpy") as file:
        metadata, columns = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    path.write_bytes(to_bytes(columns, metadata={**metadata, "more": "x"}))
    with pytest.raises(FileError, match="was changed since it was written"):
        load(path)


def test_dtype_unknown_to_numpy(tmp_path: Path) -> None:
    header = json.dumps({"x": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    (tmp_path / "bf16").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(FileError):
        load(tmp_path / "bf16")


@pytest.mark.parametrize("missing", ["neurons.v_th", "recurrent.ptr", "inputs.weight"])
def test_missing_column(path: Path, network: Network, missing: str) -> None:
    columns = {name: column for name, column in columns_of(network).items() if name != missing}
    save_tensors(path, columns, facts_of(network))
    with pytest.raises(FileError, match="is not a complete network file"):
        load(path)


@pytest.mark.parametrize("extra", ["neurons.colour", "colour", "outputs.weight", ""])
def test_extra_column(path: Path, network: Network, extra: str) -> None:
    forged(path, network, {extra: np.zeros(4)})
    with pytest.raises(FileError, match="is not a complete network file"):
        load(path)


@pytest.mark.parametrize("fact", ["dt_ms", "synapse", "rule", "provenance"])
def test_missing_fact(path: Path, network: Network, fact: str) -> None:
    forged(path, network, **{fact: None})
    with pytest.raises(FileError, match=f"is not a complete network file: '{fact}'"):
        load(path)


@pytest.mark.parametrize(
    ("columns", "facts"),
    [
        ({"neurons.tau_mem_ms": np.array([20.0, -1.0, 20.0, 20.0])}, {}),
        ({"neurons.tau_mem_ms": np.zeros((4, 1))}, {}),
        ({"neurons.v_th": np.zeros(3)}, {}),
        ({"recurrent.ptr": np.array([0, 1, 2, 3, 10**15])}, {}),
        ({"recurrent.ptr": np.zeros((0,), dtype=np.int64)}, {}),
        ({"recurrent.post": np.array([7], dtype=np.int32)}, {}),
        ({}, {"dt_ms": -1.0}),
        ({}, {"dt_ms": "1"}),
        ({}, {"synapse": ["exp"]}),
        ({}, {"rule": [1]}),
        ({}, {"rule": {"pairing": {}, "soft_bound": 0.0}}),
        ({}, {"rule": {"speed": 1}}),
        ({}, {"provenance": [1]}),
    ],
)
def test_content_that_breaks_a_rule(
    path: Path, network: Network, columns: dict[str, Any], facts: dict[str, Any]
) -> None:
    forged(path, network, columns, **facts)
    with pytest.raises(FileError, match=r"breaks a rule|is not a complete network file"):
        load(path)


def test_load_tensors_gives_back_what_was_saved(tmp_path: Path) -> None:
    columns = {"a": np.arange(6).reshape(2, 3), "b": np.zeros((0, 2), dtype=np.float32), "c": np.float64(1.5)}
    save_tensors(tmp_path / "t", columns, {"schema": "s/1", "list": [1, None, "ü"]})
    found, meta = load_tensors(tmp_path / "t", "s/1")
    for name, column in columns.items():
        np.testing.assert_array_equal(found[name], column)
        assert found[name].dtype == column.dtype
    assert meta == {"schema": "s/1", "list": [1, None, "ü"]}


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    path: Path, network: Network, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if failing == "fsync" else (network_file.Path, "replace")), full)
    with pytest.raises(OSError, match="No space left"):
        save(network.with_history("changed"), path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_write_atomically_creates_and_replaces_readable_files(tmp_path: Path) -> None:
    for content in (b"one", b"two"):
        write_atomically(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "no" / "file", b"x")
