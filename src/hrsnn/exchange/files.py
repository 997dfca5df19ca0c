"""NIR graphs on disk."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from hrsnn._checks import FileError, as_path, shortened
from hrsnn.exchange.form import Flavour
from hrsnn.exchange.package import nir_package
from hrsnn.network_file import write_atomically

SUFFIX = ".nir"
_OLD = "1.0.4"


def write_graph(graph: Any, path: str | os.PathLike[str], *, flavour: Flavour = "current") -> None:
    """Write a `nir.NIRGraph` as HDF5, whole or not at all; "1.0.4" without the fields that release does not know."""
    import h5py

    content = io.BytesIO()
    nir_package().write(content, graph)
    if flavour == _OLD:
        with h5py.File(content, "r+") as file:
            del file["version"]
            file["version"] = _OLD
            for place in _neurons(file["node"]):
                del file[place]["v_reset"]
    write_atomically(path, content.getvalue())


def read_graph(path: str | os.PathLike[str]) -> tuple[Any, bool]:
    """A `nir.NIRGraph` from a file, and whether its neurons have no `v_reset`, as those of releases up to 1.0.4.

    Raises `FileError` for a file that is missing, truncated or no NIR graph, or that mixes neurons of both kinds.
    """
    import h5py

    nir = nir_package()
    path = as_path("from_nir", "path", path)
    if not path.is_file():
        raise FileError(f"{path} does not exist; give the path of a {SUFFIX} file")
    try:
        with h5py.File(path, "r") as file:
            if "node" not in file:
                raise FileError(f"{path} is HDF5, but no NIR graph: it has no group `node`")
            kind = file["node/type"].asstr()[()] if "node/type" in file else "without a type"
            if kind != "NIRGraph":
                raise FileError(f"{path} holds a single node, {kind}, not a graph")
            has = ["v_reset" in file[place] for place in _neurons(file["node"])]
        graph = nir.read(path, type_check=False)
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{path} is truncated or not a NIR file ({shortened(str(error))}); write it again") from error
    except Exception as error:  # of whatever class: what is in a file is anybody's
        said = shortened(str(error)) or type(error).__name__
        raise FileError(f"{path} holds no NIR graph that can be read: {said}; write it again") from error
    if any(has) and not all(has):
        raise FileError(f"{path} has neurons with v_reset and neurons without; give all of them one")
    return graph, bool(has) and not any(has)


def _neurons(group: Any) -> list[str]:
    """Places of the nodes that reset, in a group of a file and the graphs within it."""
    found = []

    def look(name: str, item: Any) -> None:
        if name.rsplit("/", 1)[-1] == "v_threshold":
            found.append(str(Path(item.name).parent))

    group.visititems(look)
    return found
