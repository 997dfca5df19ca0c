"""A network from a NIR graph: ours, exactly, or one of anybody, as far as the two have the same words.

A graph that `to_nir` wrote holds the network in its metadata, and is taken at its word while it still is the graph that
this network gives. Once another tool has changed it, the graph counts.
"""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn._checks import HrsnnError, InputError, among, as_path, require, time_step
from hrsnn.engine.coefficients import coefficients
from hrsnn.exchange.files import read_graph
from hrsnn.exchange.form import Decay, Form
from hrsnn.exchange.loops import Loops, loops
from hrsnn.exchange.package import nir_package
from hrsnn.exchange.signals import FILTERS, SPIKING, Floats, Sheet, Signals, flattened, kind_of, refuse
from hrsnn.exchange.written import FACTS, NETWORK, graph_of
from hrsnn.network import Network
from hrsnn.network_file import load
from hrsnn.tables import NeuronTable, OutputTable, StdpRule, SynapseTable

_TOLERANCE_STEPS = 1e-3
_NO_SYNAPSE_MS = 5.0  # time constant of a current that nothing feeds


def from_nir(
    source: str | os.PathLike[str] | Any, *, dt_ms: float | None = None, decay: Decay | None = None
) -> Network:
    """The network of a NIR graph: a `nir.NIRGraph` or the path of a file.

    dt_ms   step in milliseconds. A graph of ours says its own; for one of others it must be given: snnTorch writes for
            0.1, norse for 1 if not asked otherwise
    decay   "exact": time constants are taken as they are; "euler": as those of a framework whose step decays by
            1 - dt/tau, so that ours, by exp(-dt/tau), decays as much. None: "exact", or what a graph of ours says

    A graph that `to_nir` wrote gives the network it was written from, equal in everything, unless it was changed since:
    then the graph counts, with a warning. Of graphs of others are read Input, Output, Affine, Linear, Scale, Flatten,
    Delay, LIF, CubaLIF, LI between weights and a LIF, and graphs of these. A node of neurons is a population; a spike
    acts a step after it, so a layer answers a step later than where layers are run within a step. A connection in a
    loop takes one step, and what a Delay adds. LI that get the spikes of neurons are output units; what else only leads
    to an output is left out, with a warning.

    Raises `FileError` for what is no NIR file, `InputError` for what the graph holds that a network cannot,
    `MissingExtraError` without the package nir.

    >>> import nir
    >>> one = np.ones(2)
    >>> lif = nir.LIF(tau=0.02 * one, r=20 * one, v_leak=0 * one, v_threshold=one)
    >>> graph = nir.NIRGraph.from_list(nir.Linear(np.array([[0.5], [0.25]])), lif)
    >>> from_nir(graph, dt_ms=1.0).inputs.weight.tolist()
    [0.5, 0.25]
    """
    nir = nir_package()
    bare = False
    if isinstance(source, nir.NIRGraph):
        graph, name = source, "a graph"
    else:
        path = as_path("from_nir", "source", source)
        graph, bare = read_graph(path)
        name = path.name
    require(decay is None or among(decay, ("exact", "euler")), "from_nir", "decay", "must be exact or euler", decay)
    facts, kept = _kept(graph)
    if "dt_ms" in facts:
        rule = "must be the step that the graph was written for"
        require(dt_ms is None or dt_ms == facts["dt_ms"], "from_nir", "dt_ms", f"{rule}, {facts['dt_ms']:g}", dt_ms)
        dt_ms = facts["dt_ms"]
    if kept is not None:
        return kept
    remedy = "snnTorch writes for 0.1, norse for 1 if not asked otherwise"
    require(dt_ms is not None, "from_nir", "dt_ms", "must be given: the graph says no step", dt_ms, remedy=remedy)
    form = facts.get("form", {})
    reading = _Reading(
        flattened(graph), time_step("from_nir", dt_ms), decay or form.get("decay", "exact"),
        subtracts=bare or form.get("flavour") == "1.0.4",
    )  # fmt: skip
    network = reading.network(f"read from NIR ({name})")
    for note in reading.notes:
        warnings.warn(note, RuntimeWarning, stacklevel=2)
    return network


# -- graphs of ours ----------------------------------------------------------------------------------------------------


def _kept(graph: Any) -> tuple[dict[str, Any], Network | None]:
    """What the metadata says, and the network in it if the graph still is that of this network."""
    metadata = graph.metadata if isinstance(graph.metadata, dict) else {}
    if FACTS not in metadata or NETWORK not in metadata:
        return {}, None
    facts: dict[str, Any] = {}
    try:
        said = json.loads(metadata[FACTS])
        facts = {"dt_ms": time_step("from_nir", said["dt_ms"]), "form": Form.of(**said["form"]).plain()}
        network = _from_bytes(np.asarray(metadata[NETWORK], dtype=np.uint8).tobytes())
        if network.dt_ms == facts["dt_ms"] and same_graph(graph, graph_of(network, Form.of(**facts["form"]))):
            return facts, network
    except (HrsnnError, ValueError, TypeError, KeyError):
        pass  # changed as well
    text = (
        "the graph is not the one hrsnn wrote any more: it counts, and what only its metadata said (refractory times, "
        "plasticity, first potentials and the like) is dropped"
    )
    warnings.warn(text, RuntimeWarning, stacklevel=3)
    return facts, None


def _from_bytes(content: bytes) -> Network:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        path.write_bytes(content)
        return load(path)


def same_graph(a: Any, b: Any) -> bool:
    """Whether two graphs have the same nodes, with equal numbers, and the same edges; metadata aside."""
    if a.nodes.keys() != b.nodes.keys() or {tuple(e) for e in a.edges} != {tuple(e) for e in b.edges}:
        return False
    return all(_same_node(node, b.nodes[name]) for name, node in a.nodes.items())


def _same_node(a: Any, b: Any) -> bool:
    names = [f.name for f in fields(a) if f.name not in ("metadata", "input_type", "output_type")]
    if kind_of(a) != kind_of(b):
        return False
    if kind_of(a) == "NIRGraph":
        return same_graph(a, b)
    if kind_of(a) in ("Input", "Output"):
        return bool(np.array_equal(a.input_type["input"], b.input_type["input"]))
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)


# -- graphs of others --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Arrivals:
    """Synapses that lead to one node of neurons, in its units; `tau_syn` is None for jumps of the potential."""

    source: str
    delay: float  # seconds
    pre: NDArray[np.int64]
    post: NDArray[np.int64]
    weight: Floats
    tau_syn: Floats | None


@dataclass(slots=True)
class _Reading:
    sheet: Sheet
    dt_ms: float
    decay: Decay
    subtracts: bool
    notes: list[str] = field(default_factory=list)
    signals: Signals = field(init=False)

    def __post_init__(self) -> None:
        self.signals = Signals(self.sheet)

    @property
    def dt(self) -> float:
        return self.dt_ms / 1000

    def network(self, history: str) -> Network:
        places, inputs = self.sheet.of(*SPIKING), self.sheet.of("Input")
        if not places or not inputs:
            raise InputError(f"the NIR graph has no node of the kind {'Input' if places else 'LIF or CubaLIF'}")
        arrivals, bias = {}, {}
        for place in places:
            arrivals[place], bias[place] = self._arrivals(place)
        self._check_one_model(arrivals)
        level, found = self._levels(places, arrivals)
        places = sorted(places, key=lambda place: level[place])  # stable: of one level in the order of the graph
        start = dict(zip(places, np.cumsum([0, *map(self.signals.size, places)]).tolist(), strict=False))
        begin = dict(zip(inputs, np.cumsum([0, *map(self.signals.size, inputs)]).tolist(), strict=False))
        n, n_inputs = sum(map(self.signals.size, places)), sum(map(self.signals.size, inputs))
        columns = [self._columns(place, bias[place]) for place in places]
        neurons = {name: np.concatenate([one[name] for one in columns]) for name in columns[0]}
        is_exp = any(one.tau_syn is not None for group in arrivals.values() for one in group) or any(
            kind_of(self.sheet.nodes[place]) == "CubaLIF" for place in places
        )
        neurons |= self._synaptic(places, arrivals, start, n)
        given, between = [], []
        loop = {place: found.of[k] for k, place in enumerate(self.sheet.of(*SPIKING))}
        for place in places:
            for one in arrivals[place]:
                if one.source in begin:
                    steps = self._steps(one, place) + 1 + level[place]
                    given.append((one.pre + begin[one.source], one.post + start[place], one.weight, steps))
                else:
                    same = loop[one.source] == loop[place]
                    steps = self._steps(one, place) + (1 if same else level[place] - level[one.source])
                    between.append((one.pre + start[one.source], one.post + start[place], one.weight, steps))
        population = np.repeat(np.arange(len(places)), [self.signals.size(place) for place in places])
        recurrent, fed = self._table(between, n), self._table(given, n_inputs)
        n_positive, n_negative = (
            np.bincount(recurrent.pre()[side], minlength=n) for side in (recurrent.weight > 0, recurrent.weight < 0)
        )
        table = NeuronTable(
            **neurons, v_init=neurons["v_rest"], t_ref_ms=np.zeros(n), population=population.astype(np.int16),
            sign=np.where((n_negative > 0) & (n_positive == 0), -1, 1).astype(np.int8), position=np.zeros((n, 3)),
        )  # fmt: skip
        network = Network(
            table, recurrent, fed, dt_ms=self.dt_ms, synapse="exp" if is_exp else "delta", dale=False,
            reset="subtract" if self.subtracts else "hard", rule=StdpRule(normalise=False),
            provenance={"history": [history]}, outputs=self._outputs(start, level, n),
        )  # fmt: skip
        return self._for_euler(network) if self.decay == "euler" and is_exp else network

    # -- one node of neurons -------------------------------------------------------------------------------------------

    def _arrivals(self, place: str) -> tuple[list[_Arrivals], Floats]:
        node, signal = self.sheet.nodes[place], self.signals.arriving(place)
        r, dt = self.signals.parameter(place, "r"), self.dt
        tau = self._seconds(place, "tau" if kind_of(node) == "LIF" else "tau_mem")
        found: list[_Arrivals] = []
        bias = r * signal.bias
        if kind_of(node) == "CubaLIF":
            tau_syn, w_in = self._seconds(place, "tau_syn"), self.signals.parameter(place, "w_in")
            bias = bias * w_in
            self._note_slow_bias(place, bias)
            gain, current = r * w_in * dt / tau_syn, tau_syn
        else:
            gain, current = r * dt / tau, None
        for (source, delay), term in signal.terms.items():
            if kind_of(self.sheet.nodes[source]) not in FILTERS:
                found.append(_spikes(source, delay, term, gain, current))
                continue
            more, filtered = self._filtered(place, source, delay, term, r)
            found.extend(more)
            bias = bias + filtered
        return found, bias

    def _filtered(self, place: str, filter_: str, late: float, term: Any, r: Floats) -> tuple[list[_Arrivals], Floats]:
        """What comes over a node LI, which is a synaptic current where it leads to one neuron each."""
        at = sparse.coo_array(term)
        if kind_of(self.sheet.nodes[place]) == "CubaLIF" or (at.row != at.col).any():
            raise refuse(
                filter_, f"leads to `{place}` over weights or a current: a network has currents of neurons alone"
            )
        passes = r * sparse.csr_array(term).diagonal()
        tau, gain = self._seconds(filter_, "tau"), self.signals.parameter(filter_, "r")
        signal = self.signals.arriving(filter_)
        bias = passes * (gain * signal.bias + self.signals.parameter(filter_, "v_leak"))
        self._note_slow_bias(filter_, bias)
        found = []
        for (source, delay), inner in signal.terms.items():
            if kind_of(self.sheet.nodes[source]) in FILTERS:
                raise refuse(filter_, f"is fed by `{source}`: a current of a current cannot be told by a network")
            found.append(_spikes(source, delay + late, inner, passes * gain * self.dt / tau, tau))
        return found, bias

    def _columns(self, place: str, bias: Floats) -> dict[str, Floats]:
        node = self.sheet.nodes[place]
        tau = self._ms(self._seconds(place, "tau" if kind_of(node) == "LIF" else "tau_mem"))
        return {
            "tau_mem_ms": tau, "bias": bias, "v_rest": self.signals.parameter(place, "v_leak"),
            "v_th": self.signals.parameter(place, "v_threshold"), "v_reset": self.signals.parameter(place, "v_reset"),
        }  # fmt: skip

    def _seconds(self, place: str, name: str) -> Floats:
        tau = self.signals.parameter(place, name)
        if not (np.isfinite(tau).all() and (tau > 0).all()):
            raise refuse(place, f"has values of {name} that are not above 0")
        if self.decay == "euler" and not (tau > self.dt).all():
            raise refuse(place, f"has {name} of one step or less, which an Euler step cannot have")
        return tau

    def _ms(self, tau: Floats) -> Floats:
        """Seconds to milliseconds; of an Euler step the time constant that decays as much in exact steps."""
        return tau * 1000 if self.decay == "exact" else -self.dt_ms / np.log1p(-self.dt / tau)

    # -- all of them together ------------------------------------------------------------------------------------------

    def _check_one_model(self, arrivals: dict[str, list[_Arrivals]]) -> None:
        by: dict[bool, str] = {}
        for place, group in arrivals.items():
            for one in group:
                by.setdefault(one.tau_syn is not None, place)
        if len(by) > 1:
            raise refuse(
                by[False], f"takes spikes as jumps of the potential, and `{by[True]}` over currents: a network does one"
            )

    def _note_slow_bias(self, place: str, bias: Floats) -> None:
        if bias.any():
            self.notes.append(
                f"the bias over the current of `{place}` is there from the first step, not with its time constant"
            )

    def _outputs(self, start: dict[str, int], level: dict[str, int], n: int) -> OutputTable | None:
        """Nodes LI behind the neurons, which are output units. What else leads to an output alone is left out."""
        inside, read, found = self._leading_to(start), set[str](), []
        for place in (place for place in self.sheet.of(*FILTERS) if place not in inside):
            signal = self.signals.arriving(place)
            from_neurons = all(source in start and delay == 0 for source, delay in signal.terms)
            if not from_neurons or len({level[source] for source, _ in signal.terms}) != 1:
                continue
            tau, r = self._seconds(place, "tau"), self.signals.parameter(place, "r")
            weight = np.zeros((tau.size, n))
            for (source, _), term in signal.terms.items():
                columns = slice(start[source], start[source] + self.signals.size(source))
                weight[:, columns] += (r * self.dt / tau)[:, None] * sparse.csr_array(term).toarray()
            bias = r * signal.bias + self.signals.parameter(place, "v_leak")
            found.append((weight, self._ms(tau), bias))
            read |= self._leading_to([place])
        rest = [
            place for place, node in self.sheet.nodes.items()
            if place not in inside | read and kind_of(node) not in ("Output", "Pass", "Input", "Flatten")
        ]  # fmt: skip
        if rest:
            self.notes.append(
                f"left out, as it leads to an output alone: {', '.join(rest)}; LI that get the spikes of neurons are "
                "output units, and a readout of hrsnn is fitted to spikes"
            )
        if not found:
            return None
        weights, taus_ms, biases = zip(*found, strict=True)
        return OutputTable(np.concatenate(weights).astype(np.float32), np.concatenate(taus_ms), np.concatenate(biases))

    def _leading_to(self, places: Iterable[str]) -> set[str]:
        """These places and all that leads to them."""
        leads, new = set(places), list(places)
        while new:
            before = [b for b in self.sheet.before[new.pop()] if b not in leads]
            leads.update(before)
            new.extend(before)
        return leads

    def _levels(self, places: list[str], arrivals: dict[str, list[_Arrivals]]) -> tuple[dict[str, int], Loops]:
        """How many steps later than in the graph a node spikes here: a layer waits a step for the one before."""
        number = {place: k for k, place in enumerate(places)}
        least: dict[tuple[int, int], int] = {}
        for place, group in arrivals.items():
            for one in group:
                if one.source in number:
                    edge = number[one.source], number[place]
                    least[edge] = min(least.get(edge, 2**31), self._steps(one, place))
        found = loops(len(places), least)
        level: dict[int, int] = {}
        for members in found.in_order:
            waits = [level[a] + 1 - steps for (a, b), steps in least.items() if b in members and a not in members]
            level.update(dict.fromkeys(members, max(0, *waits) if waits else 0))
            if len(members) > 1:
                names = ", ".join(places[k] for k in sorted(members))
                self.notes.append(f"every connection within the loop of {names} takes one step")
        return {place: level[k] for place, k in number.items()}, found

    def _synaptic(
        self, places: list[str], arrivals: dict[str, list[_Arrivals]], start: dict[str, int], n: int
    ) -> dict[str, Floats]:
        """Time constants of the two currents: those of positive and of negative weights."""
        taus = {name: np.full(n, np.nan) for name in ("tau_syn_exc_ms", "tau_syn_inh_ms")}
        for place in places:
            for one in arrivals[place]:
                if one.tau_syn is None:
                    continue
                for column, side in zip(taus.values(), (one.weight > 0, one.weight < 0), strict=True):
                    here = column[start[place] :][: self.signals.size(place)]
                    wanted = np.full(here.size, np.nan)
                    wanted[one.post[side]] = self._ms(one.tau_syn)[one.post[side]]
                    clash = ~np.isnan(here) & ~np.isnan(wanted) & (here != wanted)
                    if clash.any():
                        raise refuse(
                            place, "has currents of several time constants for one sign of weights; a network has two, "
                            "of positive and of negative ones",
                        )  # fmt: skip
                    here[:] = np.where(np.isnan(wanted), here, wanted)
        exc, inh = taus.values()
        exc, inh = np.where(np.isnan(exc), inh, exc), np.where(np.isnan(inh), exc, inh)
        for place in places:  # currents that nothing feeds
            if kind_of(self.sheet.nodes[place]) == "CubaLIF":
                own = self._ms(self._seconds(place, "tau_syn"))
                for column in (exc, inh):
                    part = column[start[place] :][: own.size]
                    part[:] = np.where(np.isnan(part), own, part)
        return {
            name: np.where(np.isnan(column), _NO_SYNAPSE_MS, column)
            for name, column in zip(taus, (exc, inh), strict=True)
        }

    def _steps(self, one: _Arrivals, place: str) -> int:
        steps = one.delay / self.dt
        if abs(steps - round(steps)) > _TOLERANCE_STEPS:
            raise refuse(
                place,
                f"is reached with a delay of {one.delay * 1000:g} ms, which is no multiple of dt_ms = {self.dt_ms:g}; "
                "read the graph with a step that divides it",
            )
        return round(steps)

    def _table(self, edges: list[tuple[Any, Any, Any, int]], n_pre: int) -> SynapseTable:
        none = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), 0)
        pre, post, weight, _ = (list(part) for part in zip(*edges or [none], strict=True))
        steps = np.concatenate([np.full(p.size, s) for p, _, _, s in edges or [none]])
        values = np.concatenate(weight)
        return SynapseTable.from_edges(
            np.concatenate(pre), np.concatenate(post), n_pre=n_pre, weight=values, delay_ms=steps * self.dt_ms,
            a_plus=0.0, a_minus=0.0, tau_plus_ms=20.0, tau_minus_ms=20.0, w_max=np.abs(values),
        )  # fmt: skip

    def _for_euler(self, network: Network) -> Network:
        """Weights for which a current moves the potential in the exact step as far as in an Euler step."""
        c = coefficients(network, np.float64).neurons
        moves = -np.expm1(-self.dt_ms / network.neurons.tau_mem_ms)
        factor = {False: moves / c.k_exc, True: moves / c.k_inh}

        def scaled(table: SynapseTable) -> SynapseTable:
            negative = np.signbit(table.weight)
            return table.scaled(np.where(negative, factor[True][table.post], factor[False][table.post]))

        return replace(network, recurrent=scaled(network.recurrent), inputs=scaled(network.inputs))


def _spikes(source: str, delay: float, term: Any, gain: Floats, tau_syn: Floats | None) -> _Arrivals:
    at = sparse.coo_array(term)
    weight = at.data * gain[at.row]
    some = weight != 0
    return _Arrivals(source, delay, at.col[some].astype(np.int64), at.row[some].astype(np.int64), weight[some], tau_syn)
