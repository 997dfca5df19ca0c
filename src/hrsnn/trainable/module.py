"""A network as a module of torch: the step of `hrsnn.engine.reference` on tensors, with gradients by autograd.

That plain form is the definition. `hrsnn.trainable.fast` computes the same in compiled code where it can.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import nn

from hrsnn._checks import instance, require
from hrsnn.engine.coefficients import SynapseCoefficients, coefficients
from hrsnn.network import Network
from hrsnn.trainable.constants import Taus, moved
from hrsnn.trainable.fast import Given, Steps, named
from hrsnn.trainable.layout import WeightLayout
from hrsnn.trainable.surrogate import Surrogate

Tensor = torch.Tensor
Form = Literal["compiled", "plain"]
Choice = Literal["auto", "compiled", "plain"]

TABLES = ("recurrent", "inputs")
TAUS = ("tau_mem", "tau_syn_exc", "tau_syn_inh")


class SpikingState(NamedTuple):
    """The dynamic state of a batch, [B, N] each; what is under way [n_pending, B, N], in the order of coming steps.

    >>> SpikingState(*torch.zeros(7, 1, 1, 1)).detach().v.requires_grad
    False
    """

    v: Tensor
    current_exc: Tensor
    current_inh: Tensor
    refractory: Tensor
    adaptation: Tensor
    pending_exc: Tensor
    pending_inh: Tensor

    def detach(self) -> SpikingState:
        """The state without its past: gradients end here, as in truncated backpropagation."""
        return SpikingState(*(part.detach() for part in self))


class SpikingModule(nn.Module):
    """A network whose weights, and more if wanted, are parameters; `hrsnn.torch.module_of` makes one.

    Parameters have one entry for each synapse, in table order, or for each neuron:

    recurrent, inputs     weights; under Dale's law magnitudes m, of which |m| counts, so the law holds at every time
    log_tau_mem, log_tau_syn_exc, log_tau_syn_inh, log_gap    p in tau = tau_0 exp(p), and in v_th - v_reset alike
    adapt                 increments, of which the magnitude counts

    All of them give the network's own numbers, in every bit, until they are changed. What is not trained is a buffer.
    """

    recurrent: Tensor
    inputs: Tensor
    log_gap: Tensor
    adapt: Tensor
    n_ref: Tensor
    bias: Tensor
    first_v_th: Tensor
    first_v_rest: Tensor
    first_v_reset: Tensor

    def __init__(
        self, network: Network, surrogate: Surrogate, dtype: torch.dtype, train: frozenset[str],
        choice: Choice = "auto", checkpoint_steps: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.network, self.surrogate = network, surrogate
        self._choice, self._checkpoint_steps = choice, checkpoint_steps
        coefficients(network, str(dtype).removeprefix("torch."))  # what does not fit in this precision is told
        c = coefficients(network, np.float64)
        self._subtracts, self._is_exp, self._n_pending = c.subtracts, c.synapse == "exp", c.n_pending
        self._delays = sorted({1, *c.recurrent.delay.tolist(), *c.inputs.delay.tolist()})
        self._layouts: list[WeightLayout] = []
        for name, table, of_network in zip(
            TABLES, (c.recurrent, c.inputs), (network.recurrent, network.inputs), strict=True
        ):
            weight = torch.tensor(of_network.weight, dtype=dtype)
            self._add(name, weight.abs() if network.dale else weight, name in train)
            negative = table.signs() < 0 if network.dale or not self._is_exp else None
            negative = negative if self._is_exp else np.zeros(len(table), np.bool_)
            self._layouts.append(
                WeightLayout(table.ptr, table.post, table.delay, negative, n=network.n_neurons, is_exp=self._is_exp)
            )
            self._fix(f"{name}_sign", torch.tensor(table.signs(), dtype=dtype))
            self._fix(f"{name}_place", torch.tensor(self._places(table)))
        self._names = [n for n in c.neurons.__slots__ if getattr(c.neurons, n) is not None and n != "n_ref"]
        for name in self._names:
            self._fix(f"first_{name}", torch.tensor(getattr(c.neurons, name)))
        self._fix("n_ref", torch.tensor(c.neurons.n_ref))
        self._fix("bias", torch.tensor(network.neurons.bias))
        n = network.n_neurons
        for name in TAUS:
            self._fix(f"first_{name}", torch.tensor(getattr(network.neurons, f"{name}_ms") / network.dt_ms))
            if name in train or (name != "tau_mem" and "tau_syn" in train):
                self._add(f"log_{name}", torch.zeros(n, dtype=dtype), True)
        if "v_th" in train:
            self._add("log_gap", torch.zeros(n, dtype=dtype), True)
        if network.neurons.adapt is not None:
            self._add("adapt", torch.tensor(network.neurons.adapt, dtype=dtype), "adapt" in train)

    def _add(self, name: str, values: Tensor, is_trained: bool) -> None:
        if is_trained:
            self.register_parameter(name, nn.Parameter(values))
        else:
            self.register_buffer(name, values)

    def _fix(self, name: str, values: Tensor) -> None:
        """A buffer that follows from the network and so is in no file."""
        self.register_buffer(name, values, persistent=False)

    @property
    def dtype(self) -> torch.dtype:
        """Of weights, states and spikes."""
        return self.recurrent.dtype

    def extra_repr(self) -> str:
        """What `print` tells."""
        n = self.network
        return f"n_inputs={n.n_inputs}, n_neurons={n.n_neurons}, dt_ms={n.dt_ms:g}, dtype={self.dtype}"

    # -- what parameters mean ------------------------------------------------------------------------------------------

    def weight(self, name: str) -> Tensor:
        """The signed weights (n_synapses,) of "recurrent" or "inputs", in table order."""
        require(name in TABLES, "SpikingModule.weight", "name", f"must be one of {', '.join(TABLES)}", name)
        values: Tensor = getattr(self, name)
        return getattr(self, f"{name}_sign") * magnitude(values) if self.network.dale else values

    def tau_ms(self, name: str) -> Tensor:
        """Time constants (N,) in milliseconds, in double precision: "tau_mem", "tau_syn_exc" or "tau_syn_inh"."""
        require(name in TAUS, "SpikingModule.tau_ms", "name", f"must be one of {', '.join(TAUS)}", name)
        return self._tau(name) * self.network.dt_ms

    def ratio(self, name: str) -> Tensor | float:
        """exp(p) of a trained time constant, (N,) in double precision; 1 of one that is not trained."""
        log: Tensor | None = getattr(self, f"log_{name}", None)
        return 1.0 if log is None else log.double().exp()

    def constants(self) -> dict[str, Tensor]:
        """The coefficients of a step at the present parameters, (N,) in the dtype of the module."""
        now: dict[str, Tensor] = {name: getattr(self, f"first_{name}") for name in self._names}
        if any(hasattr(self, f"log_{name}") for name in TAUS):
            begun: list[Tensor] = [getattr(self, f"first_{name}") for name in TAUS]
            now |= moved(now, Taus(*begun), Taus(*(self._tau(name) for name in TAUS)), self.bias)
        now["v_th"] = self.v_th()
        if hasattr(self, "adapt"):
            now["adapt"] = magnitude(self.adapt)
        return {name: values.to(self.dtype) for name, values in now.items()}

    def v_th(self) -> Tensor:
        """Thresholds (N,), in double precision."""
        first, reset = self.first_v_th, self.first_v_reset
        return first + (first - reset) * torch.expm1(self.log_gap.double()) if hasattr(self, "log_gap") else first

    def _tau(self, name: str) -> Tensor:
        first: Tensor = getattr(self, f"first_{name}")
        return first * self.ratio(name)

    # -- steps ---------------------------------------------------------------------------------------------------------

    def forward(
        self, spikes: Tensor, state: SpikingState | None = None, *, current: Tensor | None = None
    ) -> tuple[Tensor, SpikingState]:
        """Spikes [T, B, N] of the neurons, 0 or 1, and the state after the last step.

        spikes    [T, B, N_in] of the input channels, 0 or 1; other numbers multiply weights
        state     None: that of `hrsnn.simulate` at the beginning of a sample
        current   [T, B, N], analogue input, as of `hrsnn.simulate`

        Gradients are those of autograd, with the derivative of the surrogate for that of a spike, in the reset and in
        what follows from spikes as well; a refractory neuron passes none. Raises `InputError` for tensors of another
        shape, dtype or device, and where the compiled step is asked for and cannot be taken.
        """
        n, n_inputs = self.network.n_neurons, self.network.n_inputs
        self._check("spikes", spikes, "[T, B, N_in]", (None, None, n_inputs))
        n_steps, n_samples = spikes.shape[:2]
        require(n_steps >= 1, "SpikingModule", "spikes", "must be [T, B, N_in] with one step at least", "T = 0")
        if current is not None:
            self._check("current", current, "[T, B, N]", (n_steps, n_samples, n))
        c = self.constants()
        begun = self._start(c["v_init"], n_samples, state)
        given = Given(
            self.weight("recurrent"), self.weight("inputs"), spikes, current, begun.v, begun.current_exc,
            begun.current_inh, begun.adaptation, begun.pending_exc, begun.pending_inh, (),
        )  # fmt: skip
        is_compiled = self.step == "compiled"
        hindrance = self._hindrance()
        rule = "must do without the compiled step"
        require(self._choice != "compiled" or is_compiled, "SpikingModule", "step", rule, hindrance)
        if not is_compiled or n_samples == 0:
            spikes, left = self._plain(given, c, begun.refractory)
            return spikes, left
        if not self._is_exp:
            given = given._replace(inh=None, pending_inh=None)
        found = self._steps(c, begun.refractory)(given, c)
        spikes, v, exc, inh, b, pending_exc, pending_inh, refractory = found
        if not self._is_exp:
            inh, pending_inh = begun.current_inh, begun.pending_inh
        return spikes, SpikingState(v, exc, inh, refractory, b, pending_exc, pending_inh)

    @property
    def step(self) -> Form:
        """What `forward` takes: "compiled", or "plain" where that is chosen or the other cannot be."""
        return "plain" if self._choice == "plain" or self._hindrance() else "compiled"

    def _hindrance(self) -> str | None:
        """Why the compiled step cannot be taken; None where it can."""
        if self.recurrent.device.type != "cpu":
            return f"a module on the device {self.recurrent.device}"
        if self.dtype not in (torch.float32, torch.float64):
            return f"a module of {self.dtype}"
        if type(self.surrogate) is not Surrogate:
            return f"a surrogate of the class {type(self.surrogate).__name__}"
        return None

    def _steps(self, c: dict[str, Tensor], refractory: Tensor) -> Steps:
        fixed = c.get("rho", torch.zeros_like(c["v_rest"])), c["v_rest"], c["v_reset"]
        untrained = {name: values for name, values in c.items() if not values.requires_grad}

        def plain(given: Given) -> tuple[Any, ...]:
            if given.inh is None or given.pending_inh is None:
                given = given._replace(
                    inh=torch.zeros_like(given.exc), pending_inh=torch.zeros_like(given.pending_exc)
                )  # fmt: skip
            spikes, left = self._plain(given, untrained | named(given.coefficients), refractory)
            inh = (left.current_inh, left.pending_inh) if self._is_exp else (None, None)
            return spikes, left.v, left.current_exc, inh[0], left.adaptation, left.pending_exc, inh[1]

        return Steps(
            layouts=(self._layouts[0], self._layouts[1]), fixed=fixed, refractory=refractory, n_ref=self.n_ref,
            is_exp=self._is_exp, subtracts=self._subtracts, adapts="rho" in c, surrogate=self.surrogate, plain=plain,
            checkpoint_steps=self._checkpoint_steps,
        )  # fmt: skip

    # -- the plain form ------------------------------------------------------------------------------------------------

    def _plain(self, given: Given, c: dict[str, Tensor], refractory: Tensor) -> tuple[Tensor, SpikingState]:
        """The definition: spikes and the state that is left, with the coefficients `c`."""
        n_steps, n_samples = given.spikes.shape[:2]
        v, b, inh, pending_inh = given.v, given.adaptation, given.inh, given.pending_inh
        assert inh is not None
        assert pending_inh is not None
        currents = [given.exc, inh] if self._is_exp else [given.exc]
        under_way = [given.pending_exc, pending_inh]
        pending = [list(part.unbind(0)) for part in under_way[: len(currents)]]
        matrix, by_input = self._matrix("recurrent", given.recurrent), self._matrix("inputs", given.inputs)
        # Rows are taken by unbind: the gradient of an index is a tensor of zeros of all steps, for each of them.
        fed = (given.spikes.flatten(0, 1) @ by_input).unflatten(0, (n_steps, n_samples)).unbind(0)
        driven = None if given.current is None else (c["to_rest"] * given.current).unbind(0)
        log = []
        for t in range(n_steps):
            vp = c["v_rest"] + c["alpha"] * (v - c["v_rest"])
            if self._is_exp:
                vp = vp + c["k_exc"] * currents[0] + c["k_inh"] * currents[1] + c["drive"]
            else:
                vp = vp + currents[0] + c["drive"]
            if driven is not None:
                vp = vp + driven[t]
            is_held = refractory > 0
            vp = torch.where(is_held, v if self._subtracts else c["v_reset"], vp)
            theta = c["v_th"]
            if "rho" in c:
                b = c["rho"] * b
                theta = theta + b
            u = vp - theta
            s = self.surrogate(u) * (~is_held).to(u.dtype)
            fired = (u >= 0) & ~is_held
            refractory = torch.where(fired, self.n_ref, (refractory - 1).clamp(min=0))
            # With s of 0 or 1 these are choices, without rounding, and derivatives go through them.
            v = vp - s * (theta - c["v_reset"]) if self._subtracts else (1 - s) * vp + s * c["v_reset"]
            if "rho" in c:
                b = b + s * c["adapt"]
            currents = [beta * i for beta, i in zip(self._betas(c), currents, strict=True)]
            for kind, coming in enumerate(pending):
                if coming:
                    currents[kind] = currents[kind] + coming.pop(0)
                    coming.append(torch.zeros_like(v))
            for arrivals in (s @ matrix, fed[t]):
                self._join(arrivals, currents, pending)
            log.append(s)
        left = [torch.stack(part) if part else v.new_zeros(0, *v.shape) for part in pending]
        if not self._is_exp:
            currents, left = [*currents, inh], [*left, pending_inh]
        return torch.stack(log), SpikingState(v, currents[0], currents[1], refractory, b, left[0], left[1])

    def _betas(self, c: dict[str, Tensor]) -> list[Tensor]:
        return [c["beta_exc"], c["beta_inh"]] if self._is_exp else [torch.zeros_like(c["alpha"])]

    def _join(self, arrivals: Tensor, currents: list[Tensor], pending: list[list[Tensor]]) -> None:
        """Add what spikes of this step send, [B, kinds delays N], to currents, or to what is under way."""
        routes = iter(arrivals.unflatten(1, (-1, self.network.n_neurons)).unbind(1))
        for kind in range(len(currents)):
            for delay in self._delays:
                if delay == 1:
                    currents[kind] = currents[kind] + next(routes)
                else:
                    pending[kind][delay - 2] = pending[kind][delay - 2] + next(routes)

    def _start(self, v_init: Tensor, n_samples: int, state: SpikingState | None) -> SpikingState:
        n = self.network.n_neurons
        if state is None:
            zeros, ring = v_init.new_zeros(n_samples, n), v_init.new_zeros(self._n_pending, n_samples, n)
            still = torch.zeros_like(zeros, dtype=self.n_ref.dtype)
            return SpikingState(v_init.expand(n_samples, n), zeros, zeros, still, zeros, ring, ring)
        instance("SpikingModule", "state", state, SpikingState)
        for name, part in state._asdict().items():
            ahead: tuple[int | None, ...] = (self._n_pending,) if name.startswith("pending") else ()
            axes = "[n_pending, B, N]" if ahead else "[B, N]"
            dtype = self.n_ref.dtype if name == "refractory" else None
            self._check(f"state.{name}", part, axes, (*ahead, n_samples, n), dtype)
        return state

    def _check(
        self, name: str, value: Tensor, axes: str, shape: tuple[int | None, ...], dtype: torch.dtype | None = None
    ) -> None:
        instance("SpikingModule", name, value, torch.Tensor)
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        fits = value.ndim == len(shape) and all(w in (None, g) for w, g in zip(shape, value.shape, strict=True))
        require(fits, "SpikingModule", name, f"must have the shape {axes} = [{wanted}]", list(value.shape))
        dtype, device = dtype or self.dtype, self.recurrent.device
        remedy = "`.to(module.dtype)` makes it so"
        require(value.dtype == dtype, "SpikingModule", name, f"must be of {dtype}", value.dtype, remedy=remedy)
        require(value.device == device, "SpikingModule", name, f"must be on the device {device}", str(value.device))

    # -- matrices ------------------------------------------------------------------------------------------------------

    def _places(self, table: SynapseCoefficients) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Where each synapse is in a flat matrix (n_pre, kinds delays N), of the first kind."""
        n, n_kinds = self.network.n_neurons, 2 if self._is_exp else 1
        row = table.pre().astype(np.int64) * n_kinds * len(self._delays)
        return (row + np.searchsorted(self._delays, table.delay)) * n + table.post

    def _matrix(self, name: str, weight: Tensor) -> Tensor:
        """Weights as a matrix (n_pre, kinds delays N): which current of which neuron a unit feeds, and how late."""
        table, place = getattr(self.network, name), getattr(self, f"{name}_place")
        width = len(self._delays) * self.network.n_neurons
        flat = weight.new_zeros(table.n_pre * width * (2 if self._is_exp else 1))
        if self._is_exp:  # a synapse feeds the current of the sign of its own weight
            is_negative, none = torch.signbit(weight), torch.zeros_like(weight)
            flat = flat.index_add(0, place + width, torch.where(is_negative, weight, none))
            weight = torch.where(is_negative, none, weight)
        matrix: Tensor = flat.index_add(0, place, weight).unflatten(0, (table.n_pre, -1))
        return matrix


def magnitude(values: Tensor) -> Tensor:
    """|values|, with the derivative 1 at 0: what is 0 can grow."""
    return torch.where(values < 0, -values, values)
