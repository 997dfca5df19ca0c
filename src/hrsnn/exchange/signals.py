"""What reaches every node of a NIR graph of anybody: from which spikes, over which weights and delays, with which bias.

Everything linear between nodes that spike is multiplied out. Graphs within a graph are laid out flat first, their nodes
under the place "layer/node".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn._checks import InputError, as_array

Floats = NDArray[np.float64]
Matrix = Any  # sparse, (units of the node, units of the source)

SPIKING, FILTERS = ("LIF", "CubaLIF"), ("LI",)
_LINEAR = ("Affine", "Linear", "Scale", "Delay", "Flatten", "Output", "Pass")
_REMEDIES = {
    "IF": "it has no leak, and tools do not agree whether its `r` counts per second or per step: make it a LIF with a "
    "long tau",
    "CubaLI": "only LI is read between weights and a LIF",
}


@dataclass(frozen=True, slots=True)
class Pass:
    """Where a graph within a graph begins or ends."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A graph without graphs in it: nodes by place, and what leads to each."""

    nodes: dict[str, Any]
    before: dict[str, list[str]]

    def of(self, *kinds: str) -> list[str]:
        return [place for place, node in self.nodes.items() if kind_of(node) in kinds]


@dataclass(slots=True)
class Signal:
    """A weighted sum of spikes and currents: `terms[source, delay in seconds]` is a matrix; `bias` a vector."""

    terms: dict[tuple[str, float], Matrix]
    bias: Floats

    @property
    def size(self) -> int:
        return self.bias.size

    def map(self, matrix: Matrix, bias: Floats | float = 0.0) -> Signal:
        terms = {key: sparse.csr_array(matrix @ term) for key, term in self.terms.items()}
        return Signal(terms, matrix @ self.bias + bias)


def kind_of(node: Any) -> str:
    return type(node).__name__


def refuse(place: str, what: str) -> InputError:
    """The error of a node that cannot be read."""
    return InputError(f"node `{place}` of the NIR graph {what}")


def flattened(graph: Any) -> Sheet:
    """The graph with the graphs within it laid out.

    Raises `InputError` for nodes of a kind that is not read, edges to nowhere, graphs within it of several inputs.
    """
    sheet = Sheet({}, {})
    _lay_out(graph, "", sheet)
    for place, node in sheet.nodes.items():
        kind = kind_of(node)
        if kind not in (*SPIKING, *FILTERS, *_LINEAR, "Input"):
            why = _REMEDIES.get(kind, f"read are {', '.join((*SPIKING, *FILTERS, *_LINEAR[:-2]))}")
            raise refuse(place, f"is of the kind {kind}, which is not read: {why}")
    return sheet


def _lay_out(graph: Any, prefix: str, sheet: Sheet) -> None:
    inner: dict[str, dict[str, list[str]]] = {}
    for name, node in graph.nodes.items():
        place = f"{prefix}{name}"
        if kind_of(node) == "NIRGraph":
            _lay_out(node, f"{place}/", sheet)
            inner[name] = {
                kind: [f"{place}/{n}" for n, one in node.nodes.items() if kind_of(one) == kind]
                for kind in ("Input", "Output")
            }
            for kind, ends in inner[name].items():
                if len(ends) != 1:
                    raise refuse(place, f"is a graph of {len(ends)} nodes of the kind {kind}; it must have one")
                sheet.nodes[ends[0]] = Pass()
        else:
            sheet.nodes[place] = node
            sheet.before.setdefault(place, [])
    for a, b in graph.edges:
        for end in (a, b):
            if end not in graph.nodes:
                raise refuse(f"{prefix}{end}", "is named by an edge, and is not there")
        source = inner[a]["Output"][0] if a in inner else f"{prefix}{a}"
        target = inner[b]["Input"][0] if b in inner else f"{prefix}{b}"
        if source not in sheet.before[target]:
            sheet.before[target].append(source)


class Signals:
    """`arriving(place)` is what a node of a sheet gets; sources are inputs, spiking neurons and LI."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self._leaving: dict[str, Signal] = {}
        self._begun: list[str] = []

    def size(self, place: str, seen: frozenset[str] = frozenset()) -> int:
        """Units of a node: of its parameters, else of what leads to it."""
        node, kind = self.sheet.nodes[place], kind_of(self.sheet.nodes[place])
        if kind in ("Affine", "Linear"):
            return int(_matrix_of(place, node).shape[0])
        if kind == "Input":
            return int(np.prod(node.input_type["input"], dtype=np.int64))
        names = {"Scale": ["scale"], "Delay": ["delay"], "LI": ["tau", "r", "v_leak"]}.get(kind, [])
        names = ["v_threshold", "v_leak", "r", *(_TAUS[kind])] if kind in SPIKING else names
        own = max((np.size(getattr(node, name)) for name in names), default=1)
        if own > 1:
            return own
        before = [b for b in self.sheet.before[place] if b not in seen]
        return max((self.size(b, seen | {place}) for b in before), default=own)

    def parameter(self, place: str, name: str) -> Floats:
        """A parameter of a node, one value per unit; a single one is that of all."""
        values = _numbers(place, name, getattr(self.sheet.nodes[place], name)).reshape(-1)
        n = self.size(place)
        if values.size not in (1, n):
            raise refuse(place, f"has {values.size} values of {name} for {n} units")
        return np.broadcast_to(values, (n,)) if values.size == 1 else values

    def arriving(self, place: str) -> Signal:
        """The sum of what leads to a node."""
        n, total = self.size(place), None
        for source in self.sheet.before[place]:
            signal = self._signal(source)
            if kind_of(self.sheet.nodes[place]) in ("Affine", "Linear"):
                n = int(_matrix_of(place, self.sheet.nodes[place]).shape[1])
            if signal.size != n:
                raise refuse(place, f"takes {n} units, and gets {signal.size} from `{source}`")
            total = signal if total is None else _sum(total, signal)
        return total if total is not None else Signal({}, np.zeros(n))

    def _signal(self, place: str) -> Signal:
        node, kind = self.sheet.nodes[place], kind_of(self.sheet.nodes[place])
        if kind in (*SPIKING, *FILTERS, "Input"):
            n = self.size(place)
            return Signal({(place, 0.0): sparse.eye_array(n, format="csr")}, np.zeros(n))
        if place not in self._leaving:
            if place in self._begun:
                loop = " -> ".join([*self._begun[self._begun.index(place) :], place])
                raise refuse(place, f"is in a loop of nodes that do not spike, which has no time: {loop}")
            self._begun.append(place)
            self._leaving[place] = self._through(place, node, kind)
            self._begun.pop()
        return self._leaving[place]

    def _through(self, place: str, node: Any, kind: str) -> Signal:
        signal = self.arriving(place)
        if kind in ("Affine", "Linear"):
            bias = np.zeros(1) if kind == "Linear" else _numbers(place, "bias", node.bias).reshape(-1)
            weight = _matrix_of(place, node)
            if bias.size not in (1, weight.shape[0]):
                raise refuse(place, f"has a bias of {bias.size} for {weight.shape[0]} units")
            if not np.isfinite(bias).all() or not np.isfinite(weight).all():
                raise refuse(place, "has weights that are not finite")
            return signal.map(sparse.csr_array(weight), bias)
        if kind == "Scale":
            return signal.map(sparse.diags_array(self.parameter(place, "scale"), format="csr"))
        if kind == "Delay":
            return _delayed(signal, self.parameter(place, "delay"), place)
        return signal


_TAUS = {"LIF": ["tau"], "CubaLIF": ["tau_mem", "tau_syn", "w_in"]}


def _numbers(place: str, name: str, values: Any) -> Floats:
    array = as_array(f"node {place}", name, values)
    if array.dtype.kind not in "biuf":
        raise refuse(place, f"has values of {name} that are not real numbers, but of the dtype {array.dtype}")
    return array.astype(np.float64)


def _matrix_of(place: str, node: Any) -> Floats:
    weight = _numbers(place, "weight", node.weight)
    if weight.ndim != 2:
        raise refuse(place, f"has weights of shape {weight.shape}; read are matrices")
    return weight


def _delayed(signal: Signal, delay: Floats, place: str) -> Signal:
    if not (np.isfinite(delay).all() and (delay >= 0).all()):
        raise refuse(place, "has delays that are negative or not finite")
    parts: list[Signal] = []
    for one in np.unique(delay):
        rows = sparse.diags_array((delay == one).astype(np.float64), format="csr")
        terms = {(source, before + float(one)): rows @ term for (source, before), term in signal.terms.items()}
        parts.append(Signal(terms, np.zeros(signal.size)))
    return Signal(_all(parts), signal.bias)


def _sum(a: Signal, b: Signal) -> Signal:
    return Signal(_all([a, b]), a.bias + b.bias)


def _all(signals: Iterable[Signal]) -> dict[tuple[str, float], Matrix]:
    terms: dict[tuple[str, float], Matrix] = {}
    for signal in signals:
        for key, term in signal.terms.items():
            terms[key] = terms[key] + term if key in terms else term
    return terms
