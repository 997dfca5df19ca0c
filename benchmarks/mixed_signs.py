"""A dense network of mixed signs against one of Dale's law, and against Norse and snnTorch on the same weights.

What is measured. Synaptic events per second of CPU time (spikes times the synapses they leave by, recurrent and input),
one thread, one sample, single precision. 1000 neurons with a synapse from each to each, heterogeneous `tau_mem`.

(1) hrsnn alone, exponential synapses: weights of both signs from each neuron against Dale's law, with the same
    magnitudes. Bar: the ratio of the two is 0.9 or more, once `simulate` has laid out the synapses, which it does anew
    in every call; a call of one step, timed beside each run, says how long that takes. The ratio with it is told too.
(2) the mixed network in hrsnn and in Norse (`LIFRecurrentCell`), with decays of exactly its Euler steps.
(3) with delta synapses and reset by subtraction, in hrsnn and in snnTorch (`Linear` and `RLeaky`).

How. A process for each simulator, which loads and warms up once and then runs when told, one after the other; medians
over rounds, CPU time of the loop alone. The simulators of torch step their own cells, without gradients, denormal
numbers flushed. Sums are in another order and the networks are chaotic, so that spikes part after some time: their
numbers must agree to 5 %, which is asserted, and the first 20 steps spike for spike.

    python benchmarks/partners/make.py norse snntorch --to DIR
    python benchmarks/mixed_signs.py --partners DIR --out docs/results/mixed_signs.json

A simulator that has no environment in DIR is left out; hrsnn alone has three times as many rounds, as they are short.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from served import served

N, N_INPUTS, DT_S = 1000, 200, 0.001
SAME_STEPS, SAME_COUNT, BAR = 20, 0.05, 0.9
Run = Callable[[], tuple[float, float, Any]]  # CPU seconds to prepare and in all, and spikes (n_steps, N), of one run


# -- networks ----------------------------------------------------------------------------------------------------------


def weights(*, mixed: bool, scale: float) -> tuple[Any, Any]:
    """(N, N) and (N, N_INPUTS): a fifth of the synapses is negative and four times as strong."""
    rng = np.random.default_rng(0)
    magnitude = scale * rng.uniform(0.5, 1.5, (N, N))
    negative = rng.random((N, N)) < 0.2 if mixed else np.broadcast_to(np.arange(N) >= 0.8 * N, (N, N))
    w_rec = np.where(negative, -4 * magnitude, magnitude)
    w_in = (rng.random((N, N_INPUTS)) < 0.1) * rng.uniform(0.5, 1.5, (N, N_INPUTS))
    return w_rec.astype(np.float32), w_in.astype(np.float32)


def raster(n_steps: int) -> Any:
    """Poisson spikes of 20 Hz, (n_steps, N_INPUTS)."""
    return np.random.default_rng(1).random((n_steps, N_INPUTS)) < 20 * DT_S


def decays() -> tuple[Any, Any]:
    """Of membranes, one each, and of currents, per step."""
    return 1 - DT_S * 1000 / np.random.default_rng(2).uniform(10, 30, N), np.full(N, 1 - DT_S * 200)


def through_currents(mixed: bool) -> Any:
    """The network that Norse has: Euler's decays, and its gain in the weights."""
    from hrsnn import Network  # here, as the environments of the others do without hrsnn

    membrane, current = decays()
    x = np.log(current / membrane)
    share = -np.log(membrane) * membrane * np.expm1(x) / x  # of a current in the potential, one step, solved exactly
    gain = ((1 - membrane) / share)[:, None]
    w_rec, w_in = weights(mixed=mixed, scale=0.04)
    return Network.from_arrays(
        gain * w_rec, gain * 0.6 * w_in, dale=not mixed, tau_mem_ms=-1 / np.log(membrane),
        tau_syn_exc_ms=-1 / np.log(current), tau_syn_inh_ms=-1 / np.log(current), v_th=above(1.0),
    )  # fmt: skip


def through_deltas() -> Any:
    """The network that snnTorch has: reset by subtraction, a step late."""
    from hrsnn import Network

    beta = decays()[0]
    w_rec, w_in = weights(mixed=True, scale=0.01)
    return Network.from_arrays(
        w_rec, 0.11 * w_in, synapse="delta", reset="subtract", tau_mem_ms=-1 / np.log(beta), v_th=above(1.0),
        v_reset=above(1.0) - 1 / beta,
    )  # fmt: skip


def above(threshold: float) -> float:
    """`v > threshold` is `v >= above(threshold)` in single precision."""
    return float(np.nextafter(np.float32(threshold), np.float32(np.inf)))


# -- one simulator each ------------------------------------------------------------------------------------------------


def run_hrsnn(network: Any, n_steps: int) -> Run:
    from hrsnn import Spikes, simulate
    from hrsnn.engine import Record

    spikes = Spikes.from_dense(raster(n_steps)[None], dt_ms=1.0)

    step = Spikes.from_dense(raster(1)[None], dt_ms=1.0)

    def run() -> tuple[float, float, Any]:
        began = time.process_time()
        simulate(network, step, record=Record(spikes=True))
        first = time.process_time() - began
        began = time.process_time()
        found = simulate(network, spikes, record=Record(spikes=True)).spikes
        took = time.process_time() - began
        assert found is not None
        return first, took, found.dense()[0].astype(bool)

    return run


def run_norse(n_steps: int) -> Run:
    import norse.torch as norse
    import torch

    w_rec, w_in = weights(mixed=True, scale=0.04)
    membrane = decays()[0]
    p = norse.LIFParameters(tau_mem_inv=torch.tensor((1 - membrane) / DT_S).float(), tau_syn_inv=torch.tensor(200.0))
    cell = norse.LIFRecurrentCell(N_INPUTS, N, p=p, dt=DT_S, autapses=True)
    cell.load_state_dict({"input_weights": torch.tensor(0.6 * w_in), "recurrent_weights": torch.tensor(w_rec)})
    return _steps(torch, n_steps, lambda x, state: cell(x, state), None)


def run_snntorch(n_steps: int) -> Run:
    import snntorch
    import torch

    w_rec, w_in = weights(mixed=True, scale=0.01)
    given = torch.nn.Linear(N_INPUTS, N, bias=False)
    cell = snntorch.RLeaky(beta=torch.tensor(decays()[0]).float(), linear_features=N)
    cell.recurrent.bias = None
    given.weight.data, cell.recurrent.weight.data = torch.tensor(0.11 * w_in), torch.tensor(w_rec)

    def step(x: Any, state: Any) -> tuple[Any, Any]:
        s, mem = cell(given(x), *state)
        return s, (s, mem)

    return _steps(torch, n_steps, step, (torch.zeros(1, N), torch.zeros(1, N)))


def _steps(torch: Any, n_steps: int, step: Callable[[Any, Any], tuple[Any, Any]], first: Any) -> Run:
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    torch.set_flush_denormal(True)
    given = torch.tensor(raster(n_steps)).float()[:, None]

    def run() -> tuple[float, float, Any]:
        state, out = first, []
        began = time.process_time()
        for x in given:
            s, state = step(x, state)
            out.append(s)
        took = time.process_time() - began
        return 0.0, took, torch.cat(out).numpy() > 0

    return run


SIMULATORS: dict[str, Callable[[int], Run]] = {
    "dale": lambda n: run_hrsnn(through_currents(False), n),
    "mixed": lambda n: run_hrsnn(through_currents(True), n),
    "norse": run_norse,
    "mixed_deltas": lambda n: run_hrsnn(through_deltas(), n),
    "snntorch": run_snntorch,
}


def serve(name: str, n_steps: int) -> None:
    """Warm up, then for each line of standard input one run, told as a line of JSON."""
    run = SIMULATORS[name](n_steps)
    run()
    for _ in sys.stdin:
        first, took, spikes = run()
        early = [np.flatnonzero(s).tolist() for s in spikes[: SAME_STEPS + 1]]
        n_given = np.count_nonzero(weights(mixed=True, scale=1)[1], axis=0)
        events = N * int(spikes.sum()) + int((raster(n_steps) @ n_given).sum())
        told = {"prepared": first, "seconds": took, "spikes": int(spikes.sum()), "events": events, "early": early}
        print(json.dumps(told), flush=True)


# -- all of them -------------------------------------------------------------------------------------------------------


def same(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether two simulators have one network: spike for spike first, in number later. Ours comes a step later."""
    early = ours["early"][1:] == theirs["early"][:SAME_STEPS]
    return early and abs(ours["spikes"] / theirs["spikes"] - 1) < SAME_COUNT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the outcome as JSON")
    parser.add_argument("--partners", type=Path, help="where benchmarks/partners/make.py made norse and snntorch")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--serve", choices=SIMULATORS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.steps)
        return 0
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in SIMULATORS}
    for pair in (("dale", "mixed"), ("mixed", "norse"), ("mixed_deltas", "snntorch")):
        theirs = options.partners / pair[1] / "bin" / "python" if options.partners and "dale" not in pair else None
        if "dale" in pair or (theirs and theirs.exists()):
            n_rounds = options.rounds * (3 if "dale" in pair else 1)
            pythons = (sys.executable, str(theirs or sys.executable))
            _alternate(pair, pythons, options.steps, n_rounds, rounds)
    outcome: dict[str, Any] = {
        "command": "python benchmarks/mixed_signs.py " + " ".join(sys.argv[1:]),
        "python": platform.python_version(),
        "n_neurons": N, "n_recurrent_synapses": N * N, "biological_seconds": options.steps * DT_S,
        "rounds": options.rounds,
        "simulators": {name: _summary(told, options.steps) for name, told in rounds.items() if told},
        "mixed_over_dale": _ratio(rounds, "mixed", "dale", prepared=True),
        "mixed_over_dale_with_preparation": _ratio(rounds, "mixed", "dale"),
    }  # fmt: skip
    passed = outcome["mixed_over_dale"]["median"] >= BAR
    for ours, theirs in (("mixed", "norse"), ("mixed_deltas", "snntorch")):
        if rounds[theirs]:
            outcome[f"{ours}_over_{theirs}"] = _ratio(rounds, ours, theirs)
            outcome[f"{ours}_has_the_spikes_of_{theirs}"] = is_same = same(rounds[ours][-1], rounds[theirs][-1])
            passed = passed and is_same
    outcome["passed"] = passed
    text = json.dumps(outcome, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    return 0 if passed else 1


def _alternate(
    pair: tuple[str, str],
    pythons: tuple[str, str],
    n_steps: int,
    n_rounds: int,
    rounds: dict[str, list[dict[str, Any]]],
) -> None:
    commands = [
        [python, __file__, "--serve", name, "--steps", str(n_steps)] for python, name in zip(pythons, pair, strict=True)
    ]
    with served(commands[0]) as one, served(commands[1]) as other:
        for _ in range(n_rounds):
            rounds[pair[0]].append(one())
            rounds[pair[1]].append(other())


def _speed(told: dict[str, Any], *, prepared: bool = False) -> float:
    return float(told["events"] / (told["seconds"] - (told["prepared"] if prepared else 0)))


def _summary(told: list[dict[str, Any]], n_steps: int) -> dict[str, Any]:
    speed = [_speed(one) for one in told]
    return {
        "mean_rate_hz": told[-1]["spikes"] / N / (n_steps * DT_S), "events": told[-1]["events"],
        "events_per_second": statistics.median(speed), "range": [min(speed), max(speed)],
        "seconds_to_prepare": statistics.median(one["prepared"] for one in told),
    }  # fmt: skip


def _ratio(rounds: dict[str, list[dict[str, Any]]], name: str, to: str, *, prepared: bool = False) -> dict[str, Any]:
    """Of neighbouring runs. The mixed network has run beside Dale's first, and then again beside Norse."""
    n = len(rounds[to])
    ours = rounds[name][:n] if to == "dale" else rounds[name][-n:]
    pairs = zip(ours, rounds[to], strict=True)
    ratios = [_speed(a, prepared=prepared) / _speed(b, prepared=prepared) for a, b in pairs]
    return {"median": statistics.median(ratios), "range": [min(ratios), max(ratios)]}


if __name__ == "__main__":
    sys.exit(main())
