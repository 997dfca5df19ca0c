"""Save and load a network: safetensors with one metadata key. Loading never executes code.

docs/reference/network-file.md describes the file.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from hrsnn._checks import FileError, InputError, as_path, instance, shortened
from hrsnn.network import LATER, SCHEMA, SCHEMA_2, TABLES, Network, columns_of, digest, facts_of
from hrsnn.tables import StdpRule

_KEY = "hrsnn"


def save(network: Network, path: str | os.PathLike[str]) -> None:
    """Write `network` to `path`; the file appears whole or not at all, and equal networks give equal bytes.

    Raises `OSError` when the file cannot be written; what was at `path` before is still there then.
    """
    instance("save", "network", network, Network)
    save_tensors(path, columns_of(network), facts_of(network))


def load(path: str | os.PathLike[str]) -> Network:
    """Read a network back, equal to the one saved.

    Raises `FileError` for a file that is missing, truncated, changed since it was written, of another kind or
    version, and for one whose columns break a rule of `Network`.
    """
    columns, facts = load_tensors(path, SCHEMA, SCHEMA_2)
    tables: dict[str, dict[str, Any]] = {name: {} for name in TABLES}
    try:
        for name, column in columns.items():
            table, _, field_name = name.partition(".")
            tables[table][field_name] = column
        if not tables["outputs"]:
            del tables["outputs"]
        made = {name: TABLES[name](**of) for name, of in tables.items()}
        return Network(
            **made,
            dt_ms=facts["dt_ms"],
            synapse=facts["synapse"],
            rule=StdpRule(**facts["rule"]),
            provenance=facts["provenance"],
            **{name: facts.get(name, default) for name, default in LATER.items()},
        )
    except (KeyError, TypeError) as error:
        raise FileError(f"{path} is not a complete network file: {shortened(str(error))}") from error
    except InputError as error:
        raise FileError(f"{path} holds a network that breaks a rule: {error}") from error


def save_tensors(path: str | os.PathLike[str], columns: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
    """Write columns and plain JSON facts (`schema` among them) with a digest over both, atomically."""
    text = _canonical({**facts, "sha256": digest(columns, facts)})
    write_atomically(path, to_bytes({k: np.ascontiguousarray(v) for k, v in columns.items()}, metadata={_KEY: text}))


def load_tensors(path: str | os.PathLike[str], *schemas: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Columns and facts of a file of one of `schemas` written by `save_tensors`, digest checked. Raises `FileError`."""
    path = as_path("load", "path", path)
    if not path.is_file():
        raise FileError(f"{path} does not exist; give the path of a .safetensors file")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            columns = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        # the last three: dtypes that safetensors knows and NumPy does not
        raise FileError(f"{path} is truncated or not a safetensors file ({error}); write it again") from error
    try:
        meta = json.loads(metadata[_KEY])
        is_canonical = _canonical(meta) == metadata[_KEY] and list(metadata) == [_KEY]
        found, expected = meta["schema"], meta.pop("sha256")
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise FileError(f"{path} was not written by hrsnn: no valid `{_KEY}` metadata") from error
    if found not in schemas:
        raise FileError(f"{path} holds {found}, this version of hrsnn reads {' and '.join(schemas)}")
    if not is_canonical or digest(columns, meta) != expected:
        raise FileError(f"{path} was changed since it was written (its SHA-256 does not match); use an intact copy")
    return columns, meta


def _canonical(meta: Any) -> str:
    return json.dumps(meta, sort_keys=True, allow_nan=False)


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file under a temporary name in the same directory, then rename it.

    A failure leaves what was there before and no partial file; the `OSError` passes on.
    """
    target = as_path("save", "path", path)
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
