"""Figures for papers and notebooks, drawn by matplotlib (extra `plot`). Each function returns the Axes it drew on.

>>> import hrsnn
>>> spikes = hrsnn.Spikes.from_times([[1.0, 3.2]], [[0, 2]], n_units=3, n_steps=5, dt_ms=1.0)
>>> hrsnn.plot.raster(spikes).get_xlabel()
'time (ms)'
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from hrsnn._checks import extra, real_array, require, whole_number
from hrsnn.network import Network
from hrsnn.spikes import Spikes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = ("tau_mem_ms", "v_th")  # what makes neurons heterogeneous
_N_BINS = 40


def raster(spikes: Spikes, sample: int = 0, *, ax: Axes | None = None) -> Axes:
    """A dot for every event of one sample: time (ms) to the right, units upwards.

    Raises `InputError` for a sample that is not there, `MissingExtraError` without matplotlib, as all functions here.
    """
    sample = whole_number("plot.raster", "sample", sample, at_least=0)
    require(sample < spikes.n_samples, "plot.raster", "sample", f"must be < {spikes.n_samples}", sample)
    one = spikes.select([sample])
    ax = _axes(ax)
    ax.plot(one.step * one.dt_ms, one.unit, ",", color="black")
    ax.set(xlim=(0, one.n_steps * one.dt_ms), ylim=(-0.5, one.n_units - 0.5), xlabel="time (ms)", ylabel="unit")
    return ax


def weights(network: Network, *, ax: Axes | None = None) -> Axes:
    """Histograms of the recurrent and the input weights, those that are zero left out."""
    ax = _axes(ax)
    for name, table in (("recurrent", network.recurrent), ("input", network.inputs)):
        ax.hist(table.weight[table.weight != 0], bins=_N_BINS, histtype="step", label=name)
    ax.set(xlabel="weight", ylabel="synapses", yscale="log")
    ax.legend()
    return ax


def distributions(network: Network, columns: Sequence[str] = _COLUMNS, *, ax: Axes | None = None) -> Axes:
    """Histograms of columns of the neuron table, each in units of its mean, so that their spreads can be compared."""
    drawn = {}
    for name in columns:
        values = getattr(network.neurons, name, None)
        ok = isinstance(values, np.ndarray) and values.ndim == 1 and values.mean() != 0
        require(ok, "plot.distributions", "columns", "must be columns of neurons whose mean is not 0", name)
        assert values is not None
        drawn[name] = values / values.mean()
    ax = _axes(ax)
    for name, values in drawn.items():
        ax.hist(values, bins=_N_BINS, histtype="step", label=name)
    ax.set(xlabel="value over mean", ylabel="neurons")
    ax.legend()
    return ax


def spectrum(exponents: ArrayLike, *, unit: str = "1/ms", ax: Axes | None = None) -> Axes:
    """Lyapunov exponents (k,) by rank, such as those of `hrsnn.analysis.lyapunov`; above the line growth, below decay.

    unit  what they are per, for the label
    """
    values = real_array("plot.spectrum", "exponents", exponents)
    require(values.ndim == 1, "plot.spectrum", "exponents", "must have one dimension", f"shape {values.shape}")
    ax = _axes(ax)
    ax.plot(np.arange(1, values.size + 1), np.sort(values)[::-1], ".-")
    ax.axhline(0, color="grey", linewidth=0.8)
    ax.set(xlabel="rank", ylabel=f"Lyapunov exponent ({unit})")
    return ax


def _axes(ax: Any) -> Any:
    """`ax`, or that of a new figure."""
    if ax is not None:
        return ax
    with extra("plot", "a figure", "matplotlib"):
        from matplotlib import pyplot
    return pyplot.subplots()[1]
