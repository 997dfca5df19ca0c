"""One reader of networks for every verb: network files, and NIR graphs."""

from __future__ import annotations

import os

from hrsnn.exchange.files import SUFFIX
from hrsnn.exchange.read import from_nir
from hrsnn.network import Network
from hrsnn.network_file import load


def is_network_file(source: object) -> bool:
    """Whether it is the path of a network: one of ours, or a NIR graph.

    >>> is_network_file("a.nir"), is_network_file("a.toml")
    (True, False)
    """
    return isinstance(source, (str, os.PathLike)) and str(source).endswith((".safetensors", SUFFIX))


def read_network(path: str | os.PathLike[str], *, dt_ms: float | None = None) -> Network:
    """The network of a file: a NIR graph where it ends in .nir, else one of ours.

    dt_ms   step of a graph that says none; see `from_nir`

    Raises `FileError` for a file that cannot be read as what its name says.
    """
    if str(path).endswith(SUFFIX):
        return from_nir(path, dt_ms=dt_ms)
    return load(path)
