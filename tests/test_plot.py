"""Figures: what is drawn, on which axes, and what is told without matplotlib."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot

import hrsnn
from hrsnn._checks import InputError, MissingExtraError


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    matplotlib.use("Agg")
    yield
    pyplot.close("all")


@pytest.fixture
def network() -> hrsnn.Network:
    return hrsnn.build(hrsnn.NetworkSpec.preset("HeNHoS", n_inputs=4, n_neurons=30), seed=0)


def test_a_raster_has_the_events_of_one_sample() -> None:
    spikes = hrsnn.Spikes.from_times([[0.0], [1.0, 3.2]], [[0], [0, 2]], n_units=3, n_steps=10, dt_ms=0.5)
    (line,) = hrsnn.plot.raster(spikes, 1).get_lines()
    assert np.asarray(line.get_xydata()).tolist() == [[1.0, 0.0], [3.0, 2.0]]
    with pytest.raises(InputError, match=r"`sample` of `plot\.raster` must be < 2, got 2"):
        hrsnn.plot.raster(spikes, 2)


def test_every_figure_goes_onto_the_axes_it_is_given(network: hrsnn.Network) -> None:
    spikes = hrsnn.Spikes.empty(1, n_units=3, n_steps=5, dt_ms=1.0)
    for draw in (
        lambda ax: hrsnn.plot.raster(spikes, ax=ax),
        lambda ax: hrsnn.plot.weights(network, ax=ax),
        lambda ax: hrsnn.plot.distributions(network, ax=ax),
        lambda ax: hrsnn.plot.spectrum([-1.0, 0.5], ax=ax),
    ):
        ax = pyplot.subplots()[1]
        assert draw(ax) is ax
        assert ax.get_xlabel()
        assert ax.get_ylabel()


def test_distributions_are_over_the_mean_and_exponents_fall(network: hrsnn.Network) -> None:
    labels = [text.get_text() for text in hrsnn.plot.distributions(network, ["v_th"]).get_legend().get_texts()]  # type: ignore[union-attr]
    assert labels == ["v_th"]
    ranks = hrsnn.plot.spectrum(np.array([-1.0, 2.0, 0.0])).get_lines()[0].get_ydata()
    assert np.asarray(ranks).tolist() == [2.0, 0.0, -1.0]
    with pytest.raises(InputError, match="must be columns of neurons whose mean is not 0, got tau"):
        hrsnn.plot.distributions(network, ["tau"])
    with pytest.raises(InputError, match="must be columns of neurons whose mean is not 0, got bias"):
        hrsnn.plot.distributions(network, ["bias"])


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, network: hrsnn.Network) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hrsnn\[plot\]'"):
        hrsnn.plot.weights(network)
