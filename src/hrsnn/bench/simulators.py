"""What is started: hrsnn, the limit, and the peers found in a folder of virtual environments.

`benchmarks/make_peers.py` makes such a folder. A peer's script runs in the peer's own interpreter, which needs neither
hrsnn nor anything of it but the package `peers` beside this module.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hrsnn._checks import require
from hrsnn.bench.workloads import Plastic, Workload
from hrsnn.speed import OURS

LIMIT = "scatter-limit"
PEERS_VARIABLE = "HRSNN_PEERS"


@dataclass(frozen=True, slots=True)
class Engine:
    """A program that speaks the protocol: its command, to which the file of the workload and threads are appended.

    note       what it does otherwise than the workload says, one clause; shown wherever its numbers are
    max_steps  its samples are cut to this, where it is too slow for more
    """

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    threads: int = 1
    note: str = ""
    max_steps: int | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    """One way to run a simulator that is not ours, and what it can be asked.

    folder    its virtual environment, a sub-folder of that of the peers
    script    module of `hrsnn.bench.peers`
    mode      the argument of the script
    notes     by kind of plasticity it can do: its differences, "" where there is none
    batches   whether it takes many samples (True), one (False) or any number (None)
    """

    name: str
    folder: str
    script: str
    mode: str
    notes: dict[Plastic, str]
    batches: bool | None = None
    max_neurons: int | None = None
    max_steps: int | None = None

    def takes(self, workload: Workload) -> bool:
        """Whether it can be asked to run `workload`."""
        many = workload.n_samples > 1
        return (
            workload.plastic in self.notes
            and self.batches in (None, many)
            and workload.n_neurons <= (self.max_neurons or workload.n_neurons)
        )

    def engine(self, folder: Path, workload: Workload) -> Engine:
        """What to start for `workload` from the folder of the peers."""
        return Engine(
            self.name,
            (str(_python(folder / self.folder)), "-m", f"peers.{self.script}", self.mode),
            {"PYTHONPATH": str(Path(__file__).parent)},
            note=self.notes[workload.plastic],
            max_steps=self.max_steps,
        )


_ALL: dict[Plastic, str] = {"none": "", "recurrent": "", "all": ""}
PEERS = (
    Peer("brian2-standalone", "brian2", "run_brian2", "standalone", _ALL),
    Peer("brian2-cython", "brian2", "run_brian2", "cython", _ALL),
    Peer("genn-cpu", "genn", "run_genn", "cpu", _ALL),
    Peer("nest", "nest", "run_nest", "cpu", {
        "none": "float64",
        "recurrent": "float64; tau_minus is one per neuron, the mean of its synapses",
    }),
    Peer("torch-dense", "torch", "run_torch", "dense", {"none": "dense weights"}, batches=False, max_neurons=2000),
    Peer("torch-gather", "torch", "run_torch", "gather", {"none": ""}, batches=False),
    Peer("torch-batch", "torch", "run_torch", "batch", {"none": "dense weights"}, batches=True),
    Peer("bindsnet", "bindsnet", "run_bindsnet", "cpu", {
        "none": "dense weights, at most 2 s",
        "recurrent": "dense weights, at most 2 s; one set of STDP constants for all synapses",
    }, max_neurons=1000, max_steps=2000),
)  # fmt: skip


def ours(threads: int = 1) -> Engine:
    """hrsnn, through its public functions."""
    return Engine(OURS, (sys.executable, "-m", "hrsnn.bench.own", "hrsnn"), _import_path(), threads)


def limit() -> Engine:
    """The plain scatter-add."""
    return Engine(LIMIT, (sys.executable, "-m", "hrsnn.bench.own", "limit"), _import_path())


def peer_folder(given: Path | None) -> Path | None:
    """`given`, else $HRSNN_PEERS, else ./.peers where it exists. Raises `InputError` if the first two are no folder."""
    named = os.environ.get(PEERS_VARIABLE)
    for source, path in (("--peers", given), (PEERS_VARIABLE, Path(named) if named else None)):
        if path is not None:
            remedy = "python benchmarks/make_peers.py FOLDER makes one"
            require(path.is_dir(), "hrsnn bench", source, "must be a folder", str(path), remedy=remedy)
            return path
    return path if (path := Path(".peers")).is_dir() else None


def peers_in(folder: Path) -> tuple[Peer, ...]:
    """The peers whose environment is there."""
    return tuple(peer for peer in PEERS if _python(folder / peer.folder).exists())


def engines_for(workload: Workload, threads: tuple[int, ...], folder: Path | None) -> Iterator[Engine]:
    """Everything that runs `workload`, in the order of a round: the limit, hrsnn, the peers."""
    yield limit()
    yield from (ours(n) for n in threads)
    if folder is not None:
        yield from (peer.engine(folder, workload) for peer in peers_in(folder) if peer.takes(workload))


def _python(environment: Path) -> Path:
    return (environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")).absolute()


def _import_path() -> dict[str, str]:
    """Our processes import the hrsnn that started them."""
    return {"PYTHONPATH": str(Path(__file__).parents[2])}
