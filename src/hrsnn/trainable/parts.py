"""What the compiled loops are given: named tuples of arrays.

A window holds what arrives, rows of (kinds, N) numbers one after the other: first the currents of the present step,
then what joins those of the coming ones. So an arrival needs an offset and no more, whatever its delay. Backwards the
same rows hold gradients: a synapse whose spike at t arrives d steps later gets back what the current of t + d has.

What a network does not have is told by flags, looked at once a row, so there is one specialisation in each precision.
"""

from __future__ import annotations

from typing import Any, NamedTuple

# Coefficients with gradients, in the order of `Gradients.coefficients`.
ALPHA, K_EXC, K_INH, BETA_EXC, BETA_INH, DRIVE, TO_REST, V_TH, ADAPT = range(9)


class NeuronConstants(NamedTuple):
    """Coefficients (N,), as in `hrsnn.engine.coefficients`; zeros for what a network does not have."""

    alpha: Any
    k_exc: Any
    k_inh: Any
    beta_exc: Any
    beta_inh: Any
    drive: Any
    to_rest: Any
    v_th: Any
    adapt: Any
    rho: Any
    v_rest: Any
    v_reset: Any
    n_ref: Any


class NetworkKind(NamedTuple):
    """What kind of network it is. `n_rows` are those of a window; `zero` and `one` are of the precision of the rest."""

    is_exp: bool
    subtracts: bool
    adapts: bool
    holds: bool
    n_rows: int
    is_atan: bool
    slope: Any
    height: Any
    zero: Any
    one: Any


class Weights(NamedTuple):
    """Weights by presynaptic unit, entries ptr[i]:ptr[i + 1]: synapses, or if dense runs of N of one kind and delay.

    target      where in the window after the spike an entry begins, (n_entries,) uint32
    weight      of synapses (n_entries,), of runs (n_runs N,)
    run         dense: which run of `weight` an entry is, (n_entries,)
    of_run      dense: the unit of each run of `weight`, `target_of_run` its target; those of one target lie together
    """

    is_dense: bool
    ptr: Any
    target: Any
    weight: Any
    run: Any
    of_run: Any
    target_of_run: Any


class InputEvents(NamedTuple):
    """What is not 0 in the input: row t B + b has channels unit[ptr[row]:ptr[row + 1]]; `value` unless all are 1."""

    ptr: Any
    unit: Any
    value: Any


class BatchState(NamedTuple):
    """The state between two steps: v, refractory, adaptation (B, N), window (B, n_rows kinds N)."""

    v: Any
    refractory: Any
    adaptation: Any
    window: Any


class Tape(NamedTuple):
    """What a step leaves for the way back, (steps, B, ...): potentials before the reset, and where it is needed who is
    held, as bits, what thresholds have risen by, and the currents. Empty arrays are not filled."""

    v: Any
    held: Any
    adaptation: Any
    currents: Any


class Carry(NamedTuple):
    """Gradients between two steps, (chunks, LANES, ...): by the potential after the reset, by that before it where a
    neuron is free, by the adaptation, and the window."""

    v: Any
    free: Any
    adaptation: Any
    window: Any


class Gradients(NamedTuple):
    """What is wanted: sums of each chunk (chunks, ...), of coefficients those that `wanted` marks; and by input and
    current, step by step. Empty arrays are not filled."""

    wanted: Any
    coefficients: Any
    recurrent: Any
    inputs: Any
    spikes: Any
    current: Any
