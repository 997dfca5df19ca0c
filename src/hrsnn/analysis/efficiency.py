"""Efficiency: what a network does per spike (method.md 9.2, 9.3, 15.4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn._checks import check_column, require


def spike_efficiency(memory_capacity: float, spikes_per_neuron: float) -> float | None:
    """Memory capacity over the spikes that one recurrent neuron spends per input sample, on average (method.md 9.2).

    memory_capacity     C, in input samples
    spikes_per_neuron   spikes per recurrent neuron per input sample

    None for a network that does not spike: it remembers nothing at no cost, which is no efficiency.
    Raises `InputError` for negative or NaN values.

    Departs: spikes are counted over whole samples and not multiplied by the number of synapses. The paper stops the
    count at the first spike of a spiking readout; the readouts of memory are linear and never spike.

    >>> spike_efficiency(6.0, 0.5)
    12.0
    """
    _check("spike_efficiency", "memory_capacity", memory_capacity)
    _check("spike_efficiency", "spikes_per_neuron", spikes_per_neuron)
    return memory_capacity / spikes_per_neuron if spikes_per_neuron > 0 else None


def classification_efficiency(accuracy: float, spikes_per_neuron: float) -> float | None:
    """Accuracy (0..1) over the mean number of spikes per neuron and recording (method.md 9.3); None without a spike.

    The number of spikes is the raw one: a z-score cannot be divided by (method.md 16.22). Raises `InputError` for
    values out of range.

    >>> classification_efficiency(0.9, 4.5)
    0.2
    """
    _check("classification_efficiency", "accuracy", accuracy, at_most=1.0)
    _check("classification_efficiency", "spikes_per_neuron", spikes_per_neuron)
    return accuracy / spikes_per_neuron if spikes_per_neuron > 0 else None


def prediction_efficiency(nrmse: float, spikes_per_neuron: float) -> float | None:
    """1 / (NRMSE times the mean number of spikes per neuron and forecast) (method.md 9.3).

    None without a spike, and for a forecast without an error. Raises `InputError` for negative or NaN values.

    >>> prediction_efficiency(0.25, 8.0)
    0.5
    """
    _check("prediction_efficiency", "nrmse", nrmse)
    _check("prediction_efficiency", "spikes_per_neuron", spikes_per_neuron)
    product = nrmse * spikes_per_neuron
    return 1 / product if product > 0 else None


def z_scores(spikes_per_neuron: ArrayLike) -> NDArray[np.float64]:
    """Mean numbers of spikes of several methods less their mean, in units of their sample SD (n - 1), shape (n,).

    For tables that list spikes of different methods side by side (method.md 14, 15.4). Raises `InputError` for fewer
    than two methods, or where all have the same number.

    >>> z_scores([1.0, 2.0, 3.0]).tolist()
    [-1.0, 0.0, 1.0]
    """
    values = check_column("z_scores", "spikes_per_neuron", spikes_per_neuron, dtype=np.float64)
    require(values.size >= 2, "z_scores", "spikes_per_neuron", "must be those of at least two methods", values)
    sd = float(values.std(ddof=1))
    differ = values.max() > values.min() and sd > 0  # of equal values an SD may be rounding, of tiny ones it may be 0
    require(differ, "z_scores", "spikes_per_neuron", "must differ between methods", values)
    return np.asarray((values - values.mean()) / sd)


def _check(owner: str, name: str, value: float, at_most: float = np.inf) -> None:
    rule = "must be a finite number >= 0" if at_most == np.inf else f"must lie in [0, {at_most:g}]"
    require(np.isfinite(value) and 0 <= value <= at_most, owner, name, rule, value)
