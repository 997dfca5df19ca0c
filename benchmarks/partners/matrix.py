"""What the partners of `hrsnn export nir --check` make of three networks: a table for docs/how-to/exchange.md.

    python benchmarks/partners/matrix.py --out docs/results/partners.json

Needs the environments of `make.py`; a partner without one is left out. Seconds to a minute for each partner.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import hrsnn
from hrsnn._checks import HrsnnError
from hrsnn.exchange import PARTNERS
from hrsnn.exchange.check import is_there

N, N_INPUTS = 50, 20


def networks() -> dict[str, hrsnn.Network]:
    """Time constants of 5 to 30 ms, one per neuron; thresholds 1, rest and reset 0; weights that make them spike.

    For a partner that resets by subtraction they are networks that do, too.
    """
    rng = np.random.default_rng(0)
    tau = rng.uniform(5, 30, N)
    w_in = rng.uniform(0, 1, (N, N_INPUTS)) * (rng.random((N, N_INPUTS)) < 0.3)
    w_rec = rng.uniform(0, 0.3, (N, N)) * (rng.random((N, N)) < 0.15)
    jumps: dict[str, Any] = {"tau_mem_ms": tau, "synapse": "delta"}
    currents: dict[str, Any] = {"tau_mem_ms": tau, "tau_syn_exc_ms": 5.0, "tau_syn_inh_ms": 5.0}
    return {
        "feed-forward, jumps": hrsnn.Network.from_arrays(np.zeros((N, N)), w_in, **jumps),
        "recurrent, jumps": hrsnn.Network.from_arrays(w_rec, w_in / 2, **jumps),
        "recurrent, currents": hrsnn.Network.from_arrays(2 * w_rec, 1.5 * w_in, **currents),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="JSON of every check")
    given = parser.parse_args()
    rows = []
    print("| partner | graph | network | spikes here | lost | gained |\n|---|---|---|---|---|---|")
    for partner in PARTNERS:
        if not is_there(partner):
            continue
        for decay in ("euler", "exact"):
            for name, hard in networks().items():
                network = replace(hard, reset="subtract" if PARTNERS[partner].subtracts else "hard")
                row: dict[str, Any] = {
                    "partner": partner,
                    "network": name,
                    "decay": decay,
                    "network_hash": network.hash,
                }
                try:
                    with tempfile.TemporaryDirectory() as place:
                        out = Path(place) / "a.nir"
                        done = hrsnn.export("nir", network, partner=partner, check=True, decay=decay, out=out)
                    row |= {"dropped": done.document["dropped"], "check": done.document["check"]}
                    found = row["check"]
                    cells = [found["n_spikes"], found["lost"], found["gained"]]
                except HrsnnError as error:
                    row["refused"] = str(error)
                    cells = ["refused", "", ""]
                rows.append(row)
                print("|", " | ".join(map(str, [partner, decay, name, *cells])), "|", flush=True)
    if given.out:
        given.out.write_text(json.dumps({"schema": "hrsnn.partners/1", "rows": rows}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
