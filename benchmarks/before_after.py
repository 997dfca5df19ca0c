"""Two versions of hrsnn on the same networks: what a change costs networks that do not use what it adds.

What is measured. CPU time of `simulate` and `simulate_stdp`, one thread, single precision, 1000 neurons of Dale's law
drawn by the default specification, 100 inputs of 200 Hz, 10 s of biological time. The spikes and the weights after
learning must be the same to the bit, which is asserted by their SHA-256.

How. The old version is checked out of the history of this repository into a folder of its own. One process for each
version, which loads and compiles once and then runs when told. Each round asks old, new, new, old, so that a drift of
the machine cancels, and gives one ratio, new over old; told are the median over rounds and its 95 % bootstrap interval.

    python benchmarks/before_after.py c85e32a --out docs/results/before_after.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from served import served

HERE = Path(__file__).parents[1]
N, N_INPUTS, N_STEPS, RATE_HZ = 1000, 100, 10_000, 200.0
KINDS = ("static", "plastic")
BAR = 1.02


def serve(kind: str) -> None:
    """Warm up, then for each line of standard input one run, told as a line of JSON."""
    from hrsnn import NetworkSpec, Spikes, build  # of the version that is on the path
    from hrsnn.engine import Record, simulate, simulate_stdp

    network = build(NetworkSpec(n_neurons=N, n_inputs=N_INPUTS), seed=0)
    raster = np.random.default_rng(1).random((1, N_STEPS, N_INPUTS)) < RATE_HZ / 1000
    spikes = Spikes.from_dense(raster, dt_ms=1.0)

    def run() -> dict[str, Any]:
        began = time.process_time()
        if kind == "plastic":
            after, found = simulate_stdp(network, spikes, record=Record(spikes=True))
        else:
            after, found = network, simulate(network, spikes, record=Record(spikes=True))
        seconds = time.process_time() - began
        raster = found.spikes.dense().astype(bool)
        weights = after.recurrent.weight.tobytes() + after.inputs.weight.tobytes()
        digest = hashlib.sha256(np.packbits(raster).tobytes() + weights).hexdigest()
        return {"seconds": seconds, "mean_rate_hz": float(raster.mean() * 1000), "sha256": digest}

    run()
    for _ in sys.stdin:
        print(json.dumps(run()), flush=True)


def compare(kind: str, old: Path, n_rounds: int) -> dict[str, Any]:
    """The ratio of CPU times, new over old, of `n_rounds` rounds."""
    command = [sys.executable, __file__, "--serve", kind]
    with ExitStack() as both:
        before, after = (
            both.enter_context(served(command, {"PYTHONPATH": str(source / "src")})) for source in (old, HERE)
        )
        rounds = [(before(), after(), after(), before()) for _ in range(n_rounds)]
    told = {one["sha256"] for of_round in rounds for one in of_round}
    assert len(told) == 1, f"{kind}: the two versions differ"
    ratios = np.array([(b["seconds"] + c["seconds"]) / (a["seconds"] + d["seconds"]) for a, b, c, d in rounds])
    again = np.random.default_rng(0).choice(ratios, (10_000, n_rounds))
    return {
        "seconds_old": float(np.median([(a["seconds"] + d["seconds"]) / 2 for a, _, _, d in rounds])),
        "new_over_old": {
            "median": float(np.median(ratios)),
            "interval_95": np.quantile(np.median(again, axis=1), [0.025, 0.975]).tolist(),
            "range": [float(ratios.min()), float(ratios.max())],
        },
        "mean_rate_hz": rounds[0][0]["mean_rate_hz"],
        "same_bits": True,
    }


def _git(*words: str) -> None:
    subprocess.run(["git", "-C", HERE, *words], check=True, capture_output=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", nargs="?", default="c85e32a", help="commit of the old version")
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--out", type=Path, help="write the outcome as JSON")
    parser.add_argument("--serve", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        old = Path(folder) / "old"
        _git("worktree", "add", "--detach", str(old), options.old)
        try:
            found = {kind: compare(kind, old, options.rounds) for kind in KINDS}
        finally:
            _git("worktree", "remove", "--force", str(old))
    outcome = {
        "command": "python benchmarks/before_after.py " + " ".join(sys.argv[1:]),
        "python": platform.python_version(),
        "n_neurons": N, "biological_seconds": N_STEPS / 1000, "rounds": options.rounds, **found,
        "passed": all(one["new_over_old"]["median"] <= BAR for one in found.values()),
    }  # fmt: skip
    text = json.dumps(outcome, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    return 0 if outcome["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
