"""A network in continuous time, from event to event: its run, its state, and perturbations of it.

Symbols: N neurons, k perturbations, R = 1. Between events the equations of method.md 2.1 with the currents of 2.2 are
solved exactly, spike times are found to the last bits, and a spike arrives `delay_ms` after it was fired. A spike of
the input in step t happens at `t * dt_ms`. The engines round the time of a spike up to the end of its step and count
its delay from the beginning of that step; they come to these equations as `dt_ms` becomes small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import RunError, check_column, require
from hrsnn.analysis.lyapunov.tangent import n_state_rows
from hrsnn.network import Network, mechanisms
from hrsnn.spikes import Spikes
from hrsnn.tables import SynapseTable

Floats = NDArray[np.float64]

LARGEST_NETWORK = 200

_SIMULTANEOUS_MS = 1e-9  # delta synapses: arrivals of one step of the grid are one event, whatever the rounding
_MOST_SPIKES, _MOST_SPIKES_PER_MS = 100.0, 20.0  # means over neurons, beyond which activity is taken to run away
_LOG_ROWS = 64  # room in the log, times N


@dataclass(frozen=True, slots=True, eq=False)
class EventState:
    """All dynamic state of a network at one instant, float64.

    v, current_exc, current_inh   (N,); with delta synapses the currents are zero
    refractory_left_ms            (N,), for how long `v` is still held at the reset, >= 0
    flight_pre, flight_age_ms     (n_flights,), who fired the spikes that have not arrived everywhere, how long ago
    """

    v: Floats
    current_exc: Floats
    current_inh: Floats
    refractory_left_ms: Floats
    flight_pre: NDArray[np.int64]
    flight_age_ms: Floats


@dataclass(frozen=True, slots=True, eq=False)
class EventRun:
    """Spikes of a run in continuous time, `time_ms` (n_spikes,) float64 in order and `unit` (n_spikes,) int64, and the
    state at the end."""

    time_ms: Floats
    unit: NDArray[np.int64]
    duration_ms: float
    state: EventState


def simulate_events(
    network: Network, spikes: Spikes, *, duration_ms: float | None = None, state: EventState | None = None
) -> EventRun:
    """Run `network` in continuous time on the one sample of `spikes`.

    duration_ms  how long, at most as long as the drive; None is as long
    state        where it starts; None is from `v_init`, without currents. Who starts above threshold fires at once

    Arrivals at one instant are added up before anyone fires, and come before the end of a refractory period. Raises
    `InputError` where shapes or times do not fit or there are more than 200 neurons, `RunError` if activity runs away.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=20, n_inputs=4), seed=0)
    >>> spikes = Spikes.from_times([[0.0, 3.2]], [[1, 2]], n_units=4, n_steps=50, dt_ms=1.0)
    >>> run = simulate_events(network, spikes)
    >>> bool((np.diff(run.time_ms) >= 0).all()), run.state.v.shape
    (True, (20,))
    """
    end = drive_end_ms("simulate_events", network, spikes, duration_ms)
    simulation = Simulation(network, spikes, state)
    time_ms, unit = simulation.advance(end)
    return EventRun(time_ms, unit, end, simulation.state())


def flow_jacobian(
    network: Network, spikes: Spikes, *, duration_ms: float | None = None, state: EventState | None = None
) -> Floats:
    """Derivative of the state at the end by the state at the start, (3N, 3N) float64; with delta synapses (N, N).

    Rows and columns: potentials, excitatory currents, inhibitory currents. For a neuron that is held at its reset,
    potential means the shift of its last spike in units of its `tau_mem_ms`. Arguments and errors as in
    `simulate_events`; spikes that are on their way at the start are not perturbed.
    """
    end = drive_end_ms("flow_jacobian", network, spikes, duration_ms)
    n = n_state_rows(network)
    simulation = Simulation(network, spikes, state, perturbations=np.eye(n))
    simulation.advance(end)
    return simulation.perturbations[:n]


def drive_end_ms(owner: str, network: Network, spikes: Spikes, duration_ms: float | None = None) -> float:
    """End of the simulation; raises `InputError` where network, drive and duration do not fit.

    In continuous time a spike is at the threshold itself, from where both resets lead to `v_reset`: all but where an
    arrival of a delta synapse lifts a neuron above it.
    """
    others = mechanisms(network)
    if network.reset == "subtract" and network.synapse == "delta":
        others = ["reset by subtraction with delta synapses", *others]
    rule = "must have none of what there are no event-driven equations for"
    require(not others, owner, "network", rule, ", ".join(others))
    remedy = "use lyapunov_spectrum, the surrogate estimator, or keep fewer neurons with network.keep_neurons"
    rule = f"must have at most {LARGEST_NETWORK} neurons, the event-driven estimators are a reference for small ones"
    require(network.n_neurons <= LARGEST_NETWORK, owner, "network", rule, network.n_neurons, remedy=remedy)
    remedy = "exponents belong to one drive, take it with spikes.select([0])"
    require(spikes.n_samples == 1, owner, "spikes", "must hold one sample", spikes.n_samples, remedy=remedy)
    rule = f"must have as many units as the network has input channels, {network.n_inputs}"
    require(spikes.n_units == network.n_inputs, owner, "spikes", rule, f"n_units = {spikes.n_units}")
    rule = f"must have the network's step of time, dt_ms = {network.dt_ms!r}"
    require(spikes.dt_ms == network.dt_ms, owner, "spikes", rule, f"dt_ms = {spikes.dt_ms!r}")
    longest = spikes.n_steps * spikes.dt_ms
    if duration_ms is None:
        return longest
    ok = 0 < duration_ms <= longest * (1 + 1e-12)
    require(ok, owner, "duration_ms", f"must be > 0 and at most {longest:g}, the length of the drive", duration_ms)
    return float(duration_ms)


class Simulation:
    """A network on its way through its drive, alone or with perturbations to first order. t is in ms since the start.

    counts         (N,) int64, spikes so far
    perturbations  (n_rows, k) float64, to be changed in place
    """

    def __init__(
        self,
        network: Network,
        spikes: Spikes,
        state: EventState | None = None,
        *,
        perturbations: Floats | None = None,
        n_slots: int = 1,
    ) -> None:
        """
        perturbations  (n_rows, k), columns; rows as those of `tangent` in `event_kernel`, missing ones are zero
        n_slots        spikes of one neuron for which there is room on their way at once; grows when needed
        """
        from hrsnn.analysis.lyapunov import event_kernel
        from hrsnn.engine.cpu.compiled import bind

        self._n_state_rows = n_state_rows(network)
        self._net = _equations(network, spikes)
        self._live = _start(network, self._net, state, n_slots)
        self.counts = np.zeros(network.n_neurons, dtype=np.int64)
        self.t = 0.0
        k = 0 if perturbations is None else perturbations.shape[1]
        self.perturbations = np.zeros((self.n_rows, k))
        if perturbations is not None:
            self.perturbations[: len(perturbations)] = perturbations
        self._advance = bind(event_kernel.advance, (self._net, self._live, self.perturbations, 0.0))
        self._forecast = bind(event_kernel.forecast, (self._net, self._live))
        self._forecast(self._net, self._live)

    @property
    def n_rows(self) -> int:
        """Rows of a perturbation: of the state, then one per slot for a spike on its way."""
        return self._n_state_rows + int(self._live.flights.size)

    def advance(self, t: float) -> tuple[Floats, NDArray[np.int64]]:
        """Go on to time t; returns times and units of the spikes meanwhile."""
        parts, finished = [], False
        while not finished:
            finished = self._advance(self._net, self._live, self.perturbations, t)
            spikes = self._live.log[: self._live.count[0]].copy()
            parts.append(spikes)
            self._live.count[0] = 0
            self.counts += np.bincount(spikes["unit"], minlength=self.counts.size)
            self._stop_runaway(spikes)
            if not finished and spikes.size + self.counts.size <= self._live.log.size:  # so it was not the log
                self._add_slots()
        self.t = t
        spikes = np.concatenate(parts)
        return spikes["time"].copy(), spikes["unit"].copy()

    def _stop_runaway(self, spikes: NDArray[Any]) -> None:
        n_spikes, n = int(self.counts.sum()), self.counts.size
        latest_ms = spikes["time"].max(initial=self.t)
        if n_spikes > (_MOST_SPIKES + _MOST_SPIKES_PER_MS * latest_ms) * n:
            raise RunError(
                f"the network runs away: {n_spikes} spikes of {n} neurons before {latest_ms:.4g} ms; "
                "give it refractory periods or weaker excitation"
            )

    def _add_slots(self) -> None:
        n = self.counts.size
        self._live = self._live._replace(flights=np.append(self._live.flights, _empty_flights(n)))
        self.perturbations = np.append(self.perturbations, np.zeros((n, self.perturbations.shape[1])), axis=0)

    def state(self) -> EventState:
        """A copy of the state."""
        states, flights = self._live.states, self._flights()
        return EventState(
            v=states["v"].copy(),
            current_exc=states["exc"].copy(),
            current_inh=states["inh"].copy(),
            refractory_left_ms=np.where(states["clamped"], states["due"] - self.t, 0.0),
            flight_pre=flights % states.size,
            flight_age_ms=self.t - self._live.flights["start"][flights],
        )

    def _flights(self) -> NDArray[np.int64]:
        """Slots of the spikes on their way, by neuron and then by age."""
        flights = self._live.flights
        slots = np.flatnonzero(flights["due"] < np.inf)
        return slots[np.lexsort((flights["start"][slots], slots % self.counts.size))]

    # -- perturbations -----------------------------------------------------------------------------------------------

    def take_forgotten(self) -> int:
        """How many neurons were lifted over the threshold since the last call: what a perturbation had made of their
        potentials is lost."""
        n = int(self._live.count[2])
        self._live.count[2] = 0
        return n

    def minus(self, other: Simulation) -> Floats | None:
        """This state minus that of `other`, as one perturbation: the rows of the state, then the spikes on their way by
        neuron and age. None where the two have different spikes behind them, or held neurons, or spikes on their way.
        """
        a, b, n = self._live.states, other._live.states, self.counts.size
        if not (np.array_equal(self.counts, other.counts) and np.array_equal(a["clamped"], b["clamped"])):
            return None
        mine, theirs = self._flights(), other._flights()
        on_way, on_way_there = self._live.flights[mine], other._live.flights[theirs]
        same = np.array_equal(mine % n, theirs % n) and np.array_equal(on_way["synapse"], on_way_there["synapse"])
        if not same:
            return None
        tau_ms, held = self._net.neurons["tau_mem"], a["clamped"]
        potential = a["v"] - b["v"]
        potential[held] = (a["due"][held] - b["due"][held]) / tau_ms[held]
        currents = [a[name] - b[name] for name in ("exc", "inh")] if self._n_state_rows > n else []
        return np.concatenate([potential, *currents, (on_way["start"] - on_way_there["start"]) / tau_ms[mine % n]])

    def place_beside(self, other: Simulation, apart: Floats) -> None:
        """Take the state of `other` plus `apart`, a perturbation as from `minus`; what is missing of it is zero."""
        n = self.counts.size
        self._live = type(other._live)(*(column.copy() for column in other._live))
        self.perturbations = np.zeros((self.n_rows, self.perturbations.shape[1]))
        self.counts, self.t = other.counts.copy(), other.t
        states, tau_ms = self._live.states, self._net.neurons["tau_mem"]
        held = states["clamped"]
        states["v"][~held] += apart[:n][~held]
        states["due"][held] += (apart[:n] * tau_ms)[held]
        if self._n_state_rows > n:
            states["exc"] += apart[n : 2 * n]
            states["inh"] += apart[2 * n : 3 * n]
        flights = self._flights()[: apart.size - self._n_state_rows]
        shifts = apart[self._n_state_rows :] * tau_ms[flights % n]
        self._live.flights["start"][flights] += shifts
        self._live.flights["due"][flights] += shifts
        self._forecast(self._net, self._live)


# -- from the tables of a network ------------------------------------------------------------------------------------


def _equations(network: Network, spikes: Spikes) -> Any:
    from hrsnn.analysis.lyapunov.event_kernel import NEURON, SYNAPSE, Equations

    table, n = network.recurrent, network.n_neurons
    columns = network.neurons
    neurons = np.empty(n, dtype=NEURON)
    neurons["tau_mem"], neurons["t_ref"] = columns.tau_mem_ms, columns.t_ref_ms
    neurons["tau_exc"], neurons["tau_inh"] = columns.tau_syn_exc_ms, columns.tau_syn_inh_ms
    neurons["drift"] = columns.v_rest + columns.bias
    neurons["v_th"], neurons["v_reset"] = columns.v_th, columns.v_reset
    live = np.flatnonzero(table.weight)
    pre, delay_ms = table.pre()[live], _delay_steps(table, network.dt_ms)[live] * network.dt_ms
    order = np.lexsort((delay_ms, pre))
    synapses = np.empty(live.size, dtype=SYNAPSE)
    synapses["delay"], synapses["weight"] = delay_ms[order], table.weight[live][order]
    synapses["post"] = table.post[live][order]
    return Equations(
        is_delta=network.synapse == "delta",
        instant=_SIMULTANEOUS_MS if network.synapse == "delta" else 0.0,
        neurons=neurons,
        ptr=np.concatenate([[0], np.cumsum(np.bincount(pre, minlength=n))]).astype(np.int64),
        synapses=synapses,
        arrivals=_arrivals(network, spikes),
    )


def _delay_steps(table: SynapseTable, dt_ms: float) -> Floats:
    """Delays in whole steps: the table holds them in single precision."""
    return np.rint(np.divide(table.delay_ms, dt_ms, dtype=np.float64))


def _arrivals(network: Network, spikes: Spikes) -> NDArray[Any]:
    """Every arrival of an input spike, by time."""
    from hrsnn.analysis.lyapunov.event_kernel import ARRIVAL

    table = network.inputs
    fan_out = table.out_degree[spikes.unit]
    before = np.cumsum(fan_out) - fan_out
    synapse = np.repeat(table.ptr[spikes.unit] - before, fan_out) + np.arange(fan_out.sum())
    step = np.repeat(spikes.step, fan_out) + _delay_steps(table, network.dt_ms)[synapse]
    live = np.flatnonzero(table.weight[synapse])
    order = live[np.argsort(step[live], kind="stable")]
    arrivals = np.empty(order.size, dtype=ARRIVAL)
    arrivals["time"], arrivals["weight"] = step[order] * network.dt_ms, table.weight[synapse[order]]
    arrivals["post"] = table.post[synapse[order]]
    return arrivals


def _empty_flights(n: int) -> NDArray[Any]:
    from hrsnn.analysis.lyapunov.event_kernel import FLIGHT

    flights = np.zeros(n, dtype=FLIGHT)
    flights["due"] = np.inf
    return flights


def _start(network: Network, net: Any, state: EventState | None, n_slots: int) -> Any:
    from hrsnn.analysis.lyapunov.event_kernel import IDLE, SPIKE, STATE, Live

    n = network.n_neurons
    states = np.zeros(n, dtype=STATE)
    states["v"], states["due"], states["trigger"] = network.neurons.v_init, np.inf, IDLE
    flights = _empty_flights(n_slots * n)
    if state is not None:
        _take(states, state)
        flights = _taken_flights(net, state, n_slots)
    return Live(
        states=states,
        flights=flights,
        log=np.zeros(_LOG_ROWS * n, dtype=SPIKE),
        touched=np.zeros(n, dtype=np.int64),
        count=np.zeros(4, dtype=np.int64),
    )


def _take(states: NDArray[Any], given: EventState) -> None:
    """The `given` state, at time 0."""
    names = {"v": "v", "current_exc": "exc", "current_inh": "inh", "refractory_left_ms": "due"}
    for name, column in names.items():
        values = check_column("EventState", name, getattr(given, name), dtype=np.float64, length=states.size)
        states[column] = values
    states["clamped"] = states["due"] > 0


def _taken_flights(net: Any, given: EventState, n_slots: int) -> NDArray[Any]:
    """Spikes that are on their way in the `given` state, in slots."""
    n = net.neurons.size
    pre = check_column("EventState", "flight_pre", given.flight_pre, dtype=np.int64, at_least=0, at_most=n - 1)
    age = check_column(
        "EventState", "flight_age_ms", given.flight_age_ms, dtype=np.float64, length=pre.size, at_least=0
    )
    n_taken = np.zeros(n, dtype=np.int64)
    flights = _empty_flights(max(n_slots, int(np.bincount(pre, minlength=n).max())) * n)
    for j, age_ms in zip(pre, age, strict=True):
        first, end = net.ptr[j], net.ptr[j + 1]
        synapse = first + np.searchsorted(net.synapses["delay"][first:end], age_ms, side="right")
        if synapse < end:  # those before have been reached
            flights[n_taken[j] * n + j] = (-age_ms, net.synapses["delay"][synapse] - age_ms, synapse)
            n_taken[j] += 1
    return flights
