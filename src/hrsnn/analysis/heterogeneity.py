"""Heterogeneity of a network: how much its parameters differ between neurons and between synapses (method.md 9.4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import require
from hrsnn.network import Network
from hrsnn.tables import ADAPTATION, SHORT_TERM, NeuronTable, SynapseTable

EPSILON = 1e-4

_NEURON_PARAMETERS = ("tau_mem_ms", "v_th")
_SYNAPSE_PARAMETERS = ("a_plus", "a_minus", "tau_plus_ms", "tau_minus_ms")


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """H = (1/n) ln det(Cov(theta) + epsilon I) of n parameters theta, each divided by its mean; in nats per parameter.

    heterogeneity   of neurons and synapses together: n = 6, or 2 where no synapse learns. Neurons and synapses are
                    different populations with no covariance between them, so the determinant is the product of both
    neurons         of `tau_mem_ms` and `v_th` (measured from rest), over neurons
    synapses        of `a_plus`, `a_minus`, `tau_plus_ms`, `tau_minus_ms`, over recurrent synapses that learn; None
                    where none does
    cvs             standard deviation over mean of each of these, and of what stays out of H: `t_ref_ms` over neurons,
                    `weight` (its size) and `delay_ms` over all recurrent synapses, and the columns of adaptation and
                    of short-term dynamics where there are any; None where there is no synapse
    n_plastic       recurrent synapses that learn
    epsilon         what keeps H finite where parameters do not differ: H >= ln epsilon, which a network that is
                    homogeneous in everything has exactly

    H grows with the spread of each parameter and falls with correlation between them. It is a measure of spread and
    nothing more: that heterogeneity buys memory is a claim to test (method.md 9.6, 16.25).
    """

    heterogeneity: float
    neurons: float
    synapses: float | None
    cvs: dict[str, float | None]
    n_plastic: int
    epsilon: float


def heterogeneity(network: Network, *, epsilon: float = EPSILON) -> Heterogeneity:
    """Heterogeneity of the parameters that arms differ in (method.md 5.1), and the CV of each.

    Excitatory and inhibitory neurons have different means by design, and so have the four kinds of synapses between
    them: that is no heterogeneity. Every value is divided by the mean over the neurons of its sign, or the synapses of
    its pair of signs, so that the homogeneous arm HoNHoS has H = ln epsilon. The ladder of time constants of a
    clustered network does count: it is taken out in that arm.

    Raises `InputError` for epsilon <= 0, and for thresholds that are on average not above rest, which have no relative
    spread.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> arms = [build(NetworkSpec.preset(arm, n_inputs=5), seed=0) for arm in ("HoNHoS", "HeNHoS", "HeNHeS")]
    >>> [round(heterogeneity(network).heterogeneity, 1) for network in arms]
    [-9.2, -6.9, -1.5]
    """
    ok = np.isfinite(epsilon) and epsilon > 0
    require(ok, "heterogeneity", "epsilon", "must be a finite number > 0", epsilon)
    table, synapses = network.neurons, network.recurrent
    excites = (table.sign > 0).astype(np.int64)
    columns = {"tau_mem_ms": table.tau_mem_ms, "v_th": table.v_th - table.v_rest, "t_ref_ms": table.t_ref_ms}
    neurons = {name: _over_mean(name, values, excites) for name, values in columns.items()}

    of_adaptation = _present(table, ADAPTATION)
    adaptation = {name: _over_mean(name, values, excites) for name, values in of_adaptation.items()}

    pair = 2 * np.repeat(excites, synapses.out_degree) + excites[synapses.post]
    learns = (synapses.a_plus > 0) | (synapses.a_minus > 0)
    plastic = {name: _over_mean(name, getattr(synapses, name)[learns], pair[learns]) for name in _SYNAPSE_PARAMETERS}
    fixed = {"weight": np.abs(synapses.weight), "delay_ms": synapses.delay_ms, **_present(synapses, SHORT_TERM)}
    others = {name: _over_mean(name, values, pair) for name, values in fixed.items()}

    of_neurons = _log_det(neurons, _NEURON_PARAMETERS, epsilon)
    of_synapses = _log_det(plastic, _SYNAPSE_PARAMETERS, epsilon) if learns.any() else None
    n, n_more = len(_NEURON_PARAMETERS), len(_SYNAPSE_PARAMETERS)
    return Heterogeneity(
        heterogeneity=of_neurons / n if of_synapses is None else (of_neurons + of_synapses) / (n + n_more),
        neurons=of_neurons / n,
        synapses=None if of_synapses is None else of_synapses / n_more,
        cvs={name: _cv(values) for name, values in (neurons | adaptation | plastic | others).items()},
        n_plastic=int(np.count_nonzero(learns)),
        epsilon=epsilon,
    )


def _present(table: NeuronTable | SynapseTable, names: tuple[str, ...]) -> dict[str, NDArray[np.floating]]:
    return {name: column for name in names if (column := getattr(table, name)) is not None}


def _over_mean(name: str, values: NDArray[np.floating], group: NDArray[np.int64]) -> NDArray[np.float64]:
    """Every value over the mean of its group; 1 in a group where all are 0, which differ in nothing."""
    total = np.bincount(group, values, minlength=4)
    size = np.bincount(group, minlength=4)
    mean = total / np.maximum(size, 1)
    spread = np.bincount(group, np.abs(values), minlength=4) > 0
    least = float(mean[spread].min(initial=np.inf))
    require(least > 0, "heterogeneity", name, "must have a mean > 0 in every population", least)
    return np.where(spread[group], values / np.where(spread, mean, 1.0)[group], 1.0)


def _cv(relative: NDArray[np.float64]) -> float | None:
    return float(relative.std()) if relative.size else None


def _log_det(
    parameters: dict[str, NDArray[np.float64]], names: tuple[str, ...], epsilon: float
) -> float:  # fmt: skip
    """ln det(Cov + epsilon I), the covariance being that of the network at hand (divided by the number of rows)."""
    covariance = np.cov([parameters[name] for name in names], bias=True)
    return float(np.linalg.slogdet(covariance + epsilon * np.eye(len(names)))[1])
