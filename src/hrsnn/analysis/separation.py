"""Separation and generalisation of a network: ranks of its states after many stimuli (method.md 8).

A network separates m stimuli when the states it ends in are linearly independent: then any targets on these stimuli
can be had from a linear readout. It generalises when variants of one stimulus end in few dimensions. The difference is
the computational measure of Legenstein and Maass 2007.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import require
from hrsnn.analysis.states import rank_above_rounding, rank_of_entropy, rank_of_share, singular_values
from hrsnn.encode.rates import poisson_rate, whole_steps
from hrsnn.engine import Record, simulate
from hrsnn.engine.engines import Backend
from hrsnn.network import Network
from hrsnn.randomness import stream
from hrsnn.spikes import Spikes

SHARE = 0.99  # of the sum of singular values, method.md 8
_SILENT_SHARE_TO_WARN_OF = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class StateRank:
    """Ranks of the matrix of final states, one row per stimulus.

    effective         singular values that make up 99 % of their sum (method.md 8): the `separation_rank` of a report
    numerical         singular values beyond the rounding of the states' precision
    entropy           exp of the entropy of the shares of the singular values
    singular_values   (min(n_stimuli, N),), falling
    n_stimuli         m, which no rank exceeds
    silent_share      share of neurons that no stimulus made spike
    settings          how it was measured, plain JSON values
    warnings          sentences
    """

    effective: int
    numerical: int
    entropy: float
    singular_values: NDArray[np.float64]
    n_stimuli: int
    silent_share: float
    settings: dict[str, Any]
    warnings: tuple[str, ...] = ()


def separation_rank(
    network: Network,
    *,
    seed: int = 0,
    n_stimuli: int | None = None,
    duration_ms: float = 500.0,
    rate_hz: float = 10.0,
    tau_filter_ms: float = 30.0,
    backend: Backend = "auto",
    n_threads: int = 1,
) -> StateRank:
    """Rank of the states that independent Poisson stimuli leave (method.md 8, 9.1).

    seed            of the stimuli; each has a stream of its own, so more of them begin with the same
    n_stimuli       m; None is N, one per neuron
    duration_ms     of a stimulus, a whole number of steps; every stimulus starts from `v_init`
    rate_hz         mean spikes per second of every input channel, below one per step
    tau_filter_ms   the state is the filtered spike train of every neuron at the end (method.md 7.1)
    n_threads       stimuli are spread over this many threads; the result does not depend on it

    Raises `InputError` for values out of range.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=20, n_inputs=10), seed=0)
    >>> separation_rank(network, duration_ms=100, backend="reference").singular_values.shape
    (20,)
    """
    owner = "separation_rank"
    m = _checked_number(owner, network, n_stimuli)
    spikes = _poisson(owner, network, m, duration_ms, rate_hz, seed)
    settings = {"seed": seed, "duration_ms": duration_ms, "rate_hz": rate_hz, "tau_filter_ms": tau_filter_ms}
    return _rank(network, spikes, settings, tau_filter_ms, backend, n_threads)


def generalisation_rank(
    network: Network,
    *,
    jitter_ms: float = 5.0,
    seed: int = 0,
    n_stimuli: int | None = None,
    duration_ms: float = 500.0,
    rate_hz: float = 10.0,
    tau_filter_ms: float = 30.0,
    backend: Backend = "auto",
    n_threads: int = 1,
) -> StateRank:
    """Rank of the states that jittered copies of one Poisson stimulus leave: the lower, the better it generalises.

    jitter_ms   standard deviation of the normal shift of every spike; a spike pushed out of the stimulus is reflected
                at its end, and spikes of a channel that meet in one step become one

    The stimulus is the first one of `separation_rank` with the same seed. Other arguments and errors as there.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=20, n_inputs=10), seed=0)
    >>> generalisation_rank(network, jitter_ms=0.0, backend="reference").effective <= 1
    True
    """
    owner = "generalisation_rank"
    m = _checked_number(owner, network, n_stimuli)
    require(np.isfinite(jitter_ms) and jitter_ms >= 0, owner, "jitter_ms", "must be a finite number >= 0", jitter_ms)
    first = _poisson(owner, network, 1, duration_ms, rate_hz, seed)
    spikes = _jittered(first, m, jitter_ms, seed)
    settings = {
        "seed": seed, "jitter_ms": jitter_ms, "duration_ms": duration_ms, "rate_hz": rate_hz,
        "tau_filter_ms": tau_filter_ms,
    }  # fmt: skip
    return _rank(network, spikes, settings, tau_filter_ms, backend, n_threads)


def computational_measure(separation: StateRank, generalisation: StateRank) -> int:
    """Separation rank minus generalisation rank, of the same number of stimuli (Legenstein and Maass 2007).

    Departs: effective ranks, where the paper has ranks; real-valued states have full rank in both (method.md 16.5).
    """
    rule = f"must have {separation.n_stimuli} stimuli, as many as the separation rank"
    same = generalisation.n_stimuli == separation.n_stimuli
    require(same, "computational_measure", "generalisation", rule, generalisation.n_stimuli)
    return separation.effective - generalisation.effective


def _checked_number(owner: str, network: Network, n_stimuli: int | None) -> int:
    m = network.n_neurons if n_stimuli is None else n_stimuli
    require(m >= 1, owner, "n_stimuli", "must be >= 1", m)
    return m


def _poisson(owner: str, network: Network, m: int, duration_ms: float, rate_hz: float, seed: int) -> Spikes:
    """Independent stimuli, `rate_hz` on every channel."""
    dt_ms = network.dt_ms
    whole_steps(owner, "duration_ms", duration_ms, dt_ms)
    ok = np.isfinite(rate_hz) and 0 < rate_hz * dt_ms < 1000
    require(ok, owner, "rate_hz", f"must lie between 0 and {1000 / dt_ms:g}, one spike per step", rate_hz)
    # The rate of the process of which a step shows no more than one spike.
    process_hz = -math.log1p(-rate_hz * dt_ms / 1000) / dt_ms * 1000
    return poisson_rate(
        np.ones((m, network.n_inputs)),
        rng=[stream(seed, "separation.stimuli", stimulus) for stimulus in range(m)],
        f_max_hz=process_hz,
        duration_ms=duration_ms,
        silence_ms=0.0,
        dt_ms=dt_ms,
    )


def _jittered(stimulus: Spikes, m: int, jitter_ms: float, seed: int) -> Spikes:
    """`m` copies of a stimulus of one sample with every spike moved."""
    n_steps, dt_ms = stimulus.n_steps, stimulus.dt_ms
    times_ms = []
    for copy in range(m):
        shift = stream(seed, "separation.jitter", copy).normal(0.0, jitter_ms / dt_ms, stimulus.n_events)
        moved = (stimulus.step + 0.5 + shift) % (2 * n_steps)
        times_ms.append(np.minimum(moved, 2 * n_steps - moved) * dt_ms)  # reflected at both ends
    units = [stimulus.unit] * m
    return Spikes.from_times(times_ms, units, n_units=stimulus.n_units, n_steps=n_steps, dt_ms=dt_ms, late="drop")


def _rank(
    network: Network,
    spikes: Spikes,
    settings: dict[str, Any],
    tau_filter_ms: float,
    backend: Backend,
    n_threads: int,
) -> StateRank:
    record = Record(filtered_every=spikes.n_steps, tau_filter_ms=tau_filter_ms)
    recording = simulate(network, spikes, record=record, backend=backend, n_threads=n_threads)
    assert recording.filtered is not None
    states = recording.filtered[:, 0]
    values = singular_values(states)
    silent_share = float(np.mean(recording.spike_counts.sum(axis=0) == 0))
    warnings: tuple[str, ...] = ()
    if silent_share > _SILENT_SHARE_TO_WARN_OF:
        warnings = (
            f"{100 * silent_share:.3g} % of the neurons are silent under all stimuli: they separate nothing. "
            "Stronger input wakes them.",
        )
    return StateRank(
        effective=rank_of_share(values, SHARE),
        numerical=rank_above_rounding(values, states.shape, states.dtype),
        entropy=rank_of_entropy(values),
        singular_values=values,
        n_stimuli=len(states),
        silent_share=silent_share,
        settings={**settings, "n_stimuli": len(states), "network": network.hash},
        warnings=warnings,
    )
