"""From a network to a module of torch, and back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from hrsnn._checks import among, did_you_mean, instance, listed, require, whole_number
from hrsnn.network import Network
from hrsnn.trainable.module import TABLES, TAUS, Choice, SpikingModule, magnitude
from hrsnn.trainable.surrogate import Kind, Surrogate

_TRAINABLE = (*TABLES, "tau_mem", "tau_syn", "v_th", "adapt")
_DTYPES = (torch.float32, torch.float64)


def module_of(
    network: Network,
    *,
    surrogate: Kind = "fast-sigmoid",
    slope: float | None = None,
    height: float = 1.0,
    dtype: torch.dtype = torch.float32,
    train: Collection[str] = TABLES,
    step: Choice = "auto",
    checkpoint_steps: int | None = None,
) -> SpikingModule:
    """`network` as a module of torch, whose spikes are those of `hrsnn.simulate`.

    surrogate         "fast-sigmoid", "atan" or "superspike", with `slope` and `height`: see `Surrogate`
    dtype             torch.float32 or torch.float64
    train             what becomes a parameter: "recurrent", "inputs", "tau_mem", "tau_syn", "v_th", "adapt"
    step              "compiled": on the CPU, by the sparsity of weights and of spikes; "plain": by autograd, on every
                      device, written to be read; "auto": the first where it can be taken. `SpikingModule.step` says
                      which one it is
    checkpoint_steps  of the compiled step: keep the states every so many steps instead of all potentials, and do the
                      steps between again on the way back. None keeps all

    Spikes of the compiled step are those of the engines in every bit, as long as nothing has been trained. The plain
    one adds up the spikes that reach a neuron in one step in another order, which moves a current of k arrivals by some
    k units in its last place; docs/NUMERICS.md says what that comes to. Output units stay with the network and are not
    computed.

    Raises `InputError` for a network with short-term dynamics, for options that are not there, and for constants the
    network has no use of.

    >>> network = Network.from_arrays([[0.0]], [[2.0]], tau_mem_ms=20.0, synapse="delta")
    >>> module_of(network, train=["inputs", "tau_mem"])
    SpikingModule(n_inputs=1, n_neurons=1, dt_ms=1, dtype=torch.float32)
    """
    instance("module_of", "network", network, Network)
    for name in TABLES:
        rule = "must have no short-term dynamics, which are not trained here yet"
        require(getattr(network, name).u is None, "module_of", "network", rule, f"some of the {name} synapses")
    require(dtype in _DTYPES, "module_of", "dtype", "must be torch.float32 or torch.float64", dtype)
    wanted = listed("module_of", "train", train)
    for name in wanted:
        known = isinstance(name, str) and name in _TRAINABLE
        require(
            known, "module_of", "train", "must name what can be trained", name, remedy=did_you_mean(name, _TRAINABLE)
        )
    rule = "of a network of delta synapses must do without tau_syn"
    require(network.synapse == "exp" or "tau_syn" not in wanted, "module_of", "train", rule, wanted)
    rule = "of a network without adaptive thresholds must do without adapt"
    require(network.neurons.adapt is not None or "adapt" not in wanted, "module_of", "train", rule, wanted)
    choices = get_args(Choice)
    require(among(step, choices), "module_of", "step", f"must be one of {', '.join(choices)}", step)
    if checkpoint_steps is not None:
        checkpoint_steps = whole_number("module_of", "checkpoint_steps", checkpoint_steps, at_least=1)
        require(step != "plain", "module_of", "checkpoint_steps", "must be None with the plain step", checkpoint_steps)
    own = Surrogate(surrogate, slope, height)
    return SpikingModule(network, own, dtype, frozenset(wanted), step, checkpoint_steps)


def network_of(module: SpikingModule, *, history: str | None = None) -> Network:
    """The network that `module` is by now, with one more line in its history; by default it says what has changed.

    Weights are rounded to single precision, in which networks have them. What has not changed keeps its bits, all that
    is not trained (delays, plasticity with its bounds `w_max`, outputs) is that of the first network. Raises
    `InputError` where training has led to what no network can be, such as NaN.

    >>> network = Network.from_arrays([[0.0]], [[2.0]], tau_mem_ms=20.0, synapse="delta")
    >>> network_of(module_of(network)).provenance["history"]
    ['made from arrays of 1 neurons', 'back from torch: nothing changed']
    """
    instance("network_of", "module", module, SpikingModule)
    network = module.network
    weights = {name: _kept(getattr(network, name).weight, module.weight(name)) for name in TABLES}
    columns: dict[str, NDArray[Any]] = {}
    for name in TAUS:
        first = getattr(network.neurons, f"{name}_ms")
        columns[f"{name}_ms"] = first * _array(torch.as_tensor(module.ratio(name)))
    if hasattr(module, "log_gap"):
        first, reset = network.neurons.v_th, network.neurons.v_reset
        columns["v_th"] = first + (first - reset) * _array(torch.expm1(module.log_gap.double()))
    if network.neurons.adapt is not None:
        columns["adapt"] = _kept(network.neurons.adapt, magnitude(module.adapt))
    back = replace(network.with_weights(**weights), neurons=replace(network.neurons, **columns))
    if history is not None:
        return back.with_history(history)
    changed = [name for name in TABLES if not np.array_equal(weights[name], getattr(network, name).weight)]
    changed += [name for name, new in columns.items() if not np.array_equal(new, getattr(network.neurons, name))]
    return back.with_history(f"back from torch: {', '.join(changed) or 'nothing'} changed")


def _kept(first: NDArray[Any], now: torch.Tensor) -> NDArray[Any]:
    """`now` in the precision of `first`, and the bits of `first` where it still is what the module began with."""
    array = _array(now)
    begun = first.astype(array.dtype)
    return np.where(array == begun, first, array.astype(first.dtype))


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().cpu().numpy()
    return array
