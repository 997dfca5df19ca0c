"""A written graph, run by the framework that it was written for, against the engine here.

The framework lives in an environment of its own, which `benchmarks/partners/make.py` makes and puts its runner into: a
script that takes a graph, an input and a place for the spikes. Nothing of it is imported here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import InputError, RunError, bounded
from hrsnn.data import user_cache
from hrsnn.engine import Record, simulate
from hrsnn.exchange.files import write_graph
from hrsnn.exchange.form import PARTNERS, Form
from hrsnn.exchange.written import Written
from hrsnn.network import Network
from hrsnn.spikes import Spikes

VARIABLE = "HRSNN_PARTNERS"
N_STEPS, SHARE, SEED = 200, 0.1, 0  # of the input: so many steps, in each of which a channel spikes by this chance


def environment_of(partner: str) -> Path:
    """Where the environment of a partner is: a folder of its name in $HRSNN_PARTNERS, else in the user cache."""
    given = os.environ.get(VARIABLE)
    return (Path(given) if given else user_cache() / "partners") / partner


def is_there(partner: str) -> bool:
    """Whether the environment of a partner is complete."""
    folder = environment_of(partner)
    return _python(folder).exists() and (folder / "run.py").exists()


def check(network: Network, written: Written, form: Form, *, timeout_s: float = 600.0) -> dict[str, Any]:
    """What the partner of `form` makes of a graph: spikes here and there, lost and gained, first step of difference.

    The input is the same in every check. `potential_bound` is, of delta synapses, the largest share of its height by
    which a potential differs between spikes because the partner decays by 1 - dt/tau; None where no bound is known.

    Raises `InputError` without the environment, `RunError` where the partner fails.
    """
    partner = form.partner
    assert partner is not None
    folder = environment_of(partner)
    if not is_there(partner):
        raise InputError(
            f"{partner} has no environment in {folder}; `python benchmarks/partners/make.py {partner}` makes it, "
            f"${VARIABLE} names another place"
        )
    given = np.random.default_rng(SEED).random((N_STEPS, network.n_inputs)) < SHARE
    sooner = PARTNERS[partner].sooner
    shifted = np.zeros_like(given)
    shifted[sooner:] = given[: N_STEPS - sooner]
    theirs, versions = _run(folder, written.graph, form, shifted, network.dt_ms / 1000, timeout_s)
    if theirs.shape != (N_STEPS, network.n_neurons):
        raise RunError(f"{partner} gave spikes of shape {theirs.shape}, not {(N_STEPS, network.n_neurons)}")
    ours = _ours(network, given)
    differ = np.flatnonzero((ours != theirs).any(axis=1))
    return {
        "partner": partner, "versions": versions, "n_steps": N_STEPS, "decay": form.decay, "n_spikes": int(ours.sum()),
        "n_spikes_partner": int(theirs.sum()), "lost": int((ours & ~theirs).sum()),
        "gained": int((theirs & ~ours).sum()), "first_difference": int(differ[0]) if differ.size else None,
        "potential_bound": _bound(network, form),
    }  # fmt: skip


def _bound(network: Network, form: Form) -> float | None:
    """0 where the graph is written for the steps of the partner; else that of decays, of which there is one alone."""
    if form.decay == PARTNERS[str(form.partner)].decay:
        return 0.0
    if network.synapse != "delta":
        return None
    share = network.dt_ms / network.neurons.tau_mem_ms
    return float(np.max(np.abs(1 + np.expm1(-share) / share)))


def _ours(network: Network, given: NDArray[np.bool_]) -> NDArray[np.bool_]:
    drive = Spikes.from_dense(given[None], dt_ms=network.dt_ms)
    found = simulate(network, drive, record=Record(spikes=True), dtype=np.float64).spikes
    assert found is not None
    spikes = np.zeros((N_STEPS, network.n_neurons), dtype=bool)
    spikes[found.step, found.unit] = True
    return spikes


def _run(
    folder: Path, graph: Any, form: Form, given: NDArray[np.bool_], dt: float, timeout_s: float
) -> tuple[NDArray[np.bool_], dict[str, str]]:
    with tempfile.TemporaryDirectory() as place:
        paths = [str(Path(place) / name) for name in ("graph.nir", "in.npz", "out.npz")]
        write_graph(graph, paths[0], flavour=form.flavour)
        np.savez(paths[1], x=given.astype(np.float32), dt=dt)
        clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
        command = [str(_python(folder)), str(folder / "run.py"), *paths]
        try:
            done = subprocess.run(
                command, env=clean, capture_output=True, text=True, timeout=timeout_s, check=False
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RunError(f"{form.partner} did not run: {error}") from error
        if done.returncode != 0 or not Path(paths[2]).is_file():
            last = (done.stderr.strip() or "it wrote no spikes").splitlines()[-1]
            raise RunError(f"{form.partner} could not run the graph: {bounded(last)}")
        with np.load(paths[2]) as out:
            spikes = np.asarray(out["spikes"], dtype=bool)
    versions = folder / "versions.json"
    return spikes, json.loads(versions.read_text("utf-8")) if versions.is_file() else {}


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
