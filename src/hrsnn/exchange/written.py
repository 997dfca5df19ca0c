"""A network as a NIR graph.

Times in NIR are seconds. A spike there is an impulse whose area is one step, so that `r` = tau/dt makes a spike a jump
of the potential by its weight. The graph says, with dt in seconds:

    delta synapses                    Linear W -> LIF(tau, r = tau/dt)
    currents of one time constant     Linear W -> CubaLIF(tau_mem, tau_syn, w_in = tau_syn/dt, r = 1)
    currents of two                   Linear W+ -> LI(tau_syn_exc, r = tau_syn_exc/dt) -+-> LIF(tau, r = 1)
                                      Linear W- -> LI(tau_syn_inh, r = tau_syn_inh/dt) -+

    output units                      Linear W -> LI(tau, r = tau/dt, v_leak = bias)

and `v_leak` = v_rest + bias, which are the same to the equation. With decay "euler" time constants are those for which
1 - dt/tau is what exp(-dt/tau) is here, and gains those of the exact step, so that a partner that takes Euler steps
computes what the engines here compute.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import instance, require
from hrsnn._version import __version__
from hrsnn.engine.coefficients import coefficients
from hrsnn.exchange.form import Decay, Flavour, Form
from hrsnn.exchange.loops import loops
from hrsnn.exchange.package import nir_package
from hrsnn.network import Network
from hrsnn.network_file import save
from hrsnn.tables import OutputTable, SynapseTable

Floats = NDArray[np.float64]
Nodes = dict[str, Any]
Edges = list[tuple[str, str]]

FACTS, NETWORK = "hrsnn", "hrsnn_network"  # keys of the metadata


@dataclass(frozen=True, slots=True)
class Dropped:
    """What readers that do not know our metadata do not see: a column, of how many neurons or synapses."""

    column: str
    n: int
    of: str

    def __str__(self) -> str:
        return f"{self.column} of {self.n} {self.of}"


class Written(NamedTuple):
    """A NIR graph, and what it says in its metadata alone."""

    graph: Any
    dropped: list[Dropped]


def to_nir(
    network: Network,
    *,
    flavour: Flavour | None = None,
    split_populations: bool = False,
    decay: Decay | None = None,
    partner: str | None = None,
) -> Written:
    """The network as a `nir.NIRGraph`, and what of it only `from_nir` sees, in the metadata of the graph.

    flavour             of which release: "current", or "1.0.4", whose neurons reset by subtraction
    split_populations   a node of neurons for each population, not one for all
    decay               "exact": time constants are those of the network; "euler": those that make a step 1 - dt/tau of
                        others decay as much as ours
    partner             a key of `PARTNERS`, whose ways the graph follows; it also decides what is None above

    `from_nir` makes the same network of it. Weights are dense. Raises `InputError` for what the partner cannot be
    given at all, `MissingExtraError` without the package nir.

    >>> net = Network.from_arrays([[0.0, -0.5], [0.8, 0.0]], [[1.2], [0.0]], tau_mem_ms=[10.0, 20.0], synapse="delta")
    >>> graph, dropped = to_nir(net)
    >>> sorted(graph.nodes), graph.nodes["lif"].tau.tolist(), dropped
    (['input', 'lif', 'output', 'w_in', 'w_rec'], [0.01, 0.02], [])
    """
    instance("to_nir", "network", network, Network)
    form = Form.of(flavour, decay, split_populations, partner)
    _refuse(network, form)
    dropped = _dropped(network, form)
    graph = graph_of(network, form)
    facts = {
        "version": __version__, "dt_ms": network.dt_ms, "form": form.plain(),
        "dropped": [asdict(one) for one in dropped],
    }  # fmt: skip
    graph.metadata = {FACTS: json.dumps(facts, sort_keys=True), NETWORK: _as_bytes(network)}
    return Written(graph, dropped)


def graph_of(network: Network, form: Form) -> Any:
    """The graph without metadata: a function of the network and the form, so that two can be compared."""
    nir = nir_package()
    nodes, edges = _Writer(network, form).nodes_and_edges()
    return nir.NIRGraph(nodes=nodes, edges=edges)


def has_one_current(network: Network) -> bool:
    """Whether each neuron gets currents of one time constant: of one sign alone, or of the same for both."""
    _, differ = _tau_syn_ms(network)
    return not differ.any()


def _tau_syn_ms(network: Network) -> tuple[Floats, NDArray[np.bool_]]:
    """The time constant of the one current of each neuron, and where there are two."""
    table, n = network.neurons, network.n_neurons
    gets = {True: np.zeros(n, dtype=bool), False: np.zeros(n, dtype=bool)}
    for synapses in (network.recurrent, network.inputs):
        for negative in gets:
            gets[negative][synapses.post[np.signbit(synapses.weight) == negative]] = True
    differ = gets[True] & gets[False] & (table.tau_syn_exc_ms != table.tau_syn_inh_ms)
    return np.where(gets[True] & ~gets[False], table.tau_syn_inh_ms, table.tau_syn_exc_ms), differ


# -- what a graph, or a partner, cannot say ----------------------------------------------------------------------------


def _refuse(network: Network, form: Form) -> None:
    reads = form.reads
    if reads is None:
        return
    who = form.partner
    longest = [t.delay_ms.max(initial=network.dt_ms) / network.dt_ms for t in (network.recurrent, network.inputs)]
    for name, steps in zip(("recurrent", "inputs"), longest, strict=True):
        rule = f"must be one step for {who}, which has no delays"
        require(round(steps) == 1, "to_nir", f"{name}.delay_ms", rule, f"up to {round(steps)} steps")
    n = len(network.recurrent)
    require(reads.loop != "none" or n == 0, "to_nir", "recurrent", f"must be empty for {who}: it runs no recurrence", n)
    if network.synapse == "exp":
        rule = f'must be "delta" for {who}, which has no synaptic currents'
        require(reads.has_currents, "to_nir", "synapse", rule, network.synapse)
        n = int(_tau_syn_ms(network)[1].sum())
        rule = f"must be that of tau_syn_exc_ms where a neuron gets both signs: a neuron of {who} has one current"
        require(n == 0, "to_nir", "tau_syn_inh_ms", rule, f"another one in {n} of {network.n_neurons} neurons")
    n = np.unique(network.neurons.v_th).size
    require(not reads.one_threshold or n == 1, "to_nir", "v_th", f"must be one for all neurons of {who}", f"{n} values")
    require(not form.split_populations, "to_nir", "split_populations", f"must be false for {who}", True)


def _dropped(network: Network, form: Form) -> list[Dropped]:
    table, reads = network.neurons, form.reads
    n = network.n_neurons
    subtracts = network.reset == "subtract"
    they_do = form.flavour == "1.0.4" or (reads is not None and reads.subtracts)
    level = table.v_rest + table.bias
    unsaid: dict[str, Any] = {
        "t_ref_ms": np.rint(table.t_ref_ms / network.dt_ms) > 0,
        "v_init": table.v_init != 0,
        "reset": np.full(n, subtracts != they_do),
    }
    if table.adapt is not None:
        unsaid["adapt"] = table.adapt > 0
    if form.flavour == "1.0.4" or (reads is not None and "v_reset" in reads.ignores):
        unsaid["v_reset"] = table.v_reset != 0
    if reads is not None and network.synapse == "exp":  # a bias comes in over the synapse, or moves its current too
        unsaid["v_rest + bias"] = level != 0
    found = [Dropped(name, int(np.sum(which)), "neurons") for name, which in unsaid.items()]
    if network.outputs is not None and reads is not None:
        found.append(Dropped("outputs", len(network.outputs), "output units"))
    for name, synapses in (("recurrent", network.recurrent), ("inputs", network.inputs)):
        learns = (synapses.a_plus > 0) | (synapses.a_minus > 0)
        found.append(Dropped(f"{name} plasticity", int(learns.sum()), "synapses"))
        if synapses.u is not None:
            found.append(Dropped(f"{name}.u", len(synapses), "synapses"))
    return [one for one in found if one.n]


def _as_bytes(network: Network) -> NDArray[np.uint8]:
    """The network file, digest and all, as an array."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        save(network, path)
        return np.frombuffer(path.read_bytes(), dtype=np.uint8).copy()


# -- nodes and edges ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Group:
    """Neurons that are one node. A spike of theirs in step t of a graph is one in step t + 1 + `level` here."""

    name: str
    rows: NDArray[np.int64]
    level: int
    loop: int


@dataclass(frozen=True, slots=True)
class _Gains:
    """Numbers of the nodes, per neuron; `scale` multiplies its rows of weights, `bias` is that of an Affine node."""

    tau: Floats
    tau_syn: dict[str, Floats]  # by branch
    r: Floats
    w_in: dict[str, Floats]
    scale: Floats | None
    v_leak: Floats
    bias: Floats | None


class _Writer:
    def __init__(self, network: Network, form: Form) -> None:
        self.nir, self.network, self.form = nir_package(), network, form
        self.dt = network.dt_ms / 1000
        self.branches = [""] if network.synapse == "delta" or has_one_current(network) else ["exc", "inh"]
        self.gains = self._gains()
        self.nodes: Nodes = {}
        self.edges: Edges = []

    def nodes_and_edges(self) -> tuple[Nodes, Edges]:
        groups = _groups(self.network) if self.form.split_populations else [_all(self.network)]
        nir, nodes, n_inputs = self.nir, self.nodes, self.network.n_inputs
        nodes["input"] = nir.Input(input_type=np.array([n_inputs]))
        for group in groups:
            for branch in self.branches if len(self.branches) > 1 else []:
                synapse = _name("syn", branch, group.name)
                rows = group.rows
                nodes[synapse] = nir.LI(
                    tau=self.gains.tau_syn[branch][rows], r=self.gains.w_in[branch][rows], v_leak=np.zeros(rows.size)
                )
                self.edges.append((synapse, _name("lif", group.name)))
            nodes[_name("lif", group.name)] = self._neurons(group)
        alone = set(range(len(groups))) - self._reached(groups)
        if len(groups) == 1 or not len(self.network.inputs):
            alone.add(0)  # the input goes somewhere
        for k, group in enumerate(groups):
            late = _steps(self.network.inputs, self.network) - 1 - group.level
            source = ("input", "in", np.arange(n_inputs))
            self._connect(self.network.inputs, late, source, group, required=k in alone)
        for pre in groups:
            for group in groups:
                step = 1 if pre.loop == group.loop else group.level - pre.level
                source = (_name("lif", pre.name), _name("rec", pre.name), pre.rows)
                self._connect(
                    self.network.recurrent, _steps(self.network.recurrent, self.network) - step, source, group
                )
        loop = self.form.reads.loop if self.form.reads is not None else "flat"
        if loop == "nested" and "w_rec" in nodes:
            self._nest()
        if loop == "detour" and "w_rec" in nodes:
            nodes["back"] = nir.Linear(weight=np.eye(self.network.n_neurons, dtype=np.float32))
            self.edges[self.edges.index(("w_rec", "lif"))] = ("w_rec", "back")
            self.edges.append(("back", "lif"))
        for group in groups:
            nodes[_name("output", group.name)] = nir.Output(output_type=np.array([group.rows.size]))
            self.edges.append((_name("lif", group.name), _name("output", group.name)))
        if self.network.outputs is not None and self.form.reads is None:
            self._read(self.network.outputs, groups)
        return nodes, self.edges

    def _read(self, outputs: OutputTable, groups: list[_Group]) -> None:
        euler = self.form.decay == "euler"
        tau = self.dt / -np.expm1(-self.network.dt_ms / outputs.tau_ms) if euler else outputs.tau_ms / 1000
        self.nodes["readout"] = self.nir.LI(tau=tau, r=tau / self.dt, v_leak=outputs.bias)
        for group in groups:
            name = _name("w", "out", group.name)
            self.nodes[name] = self.nir.Linear(weight=outputs.weight[:, group.rows])
            self.edges += [(_name("lif", group.name), name), (name, "readout")]
        self.nodes["output_readout"] = self.nir.Output(output_type=np.array([len(outputs)]))
        self.edges.append(("readout", "output_readout"))

    def _nest(self) -> None:
        """The recurrent layer as a graph of its own, which takes the place of its neurons."""
        size = np.array([self.network.n_neurons])
        inner = {"input": self.nir.Input(input_type=size), "lif": self.nodes["lif"], "w_rec": self.nodes.pop("w_rec")}
        inner["output"] = self.nir.Output(output_type=size)
        edges = [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")]
        self.nodes["lif"] = self.nir.NIRGraph(nodes=inner, edges=edges)
        self.edges = [edge for edge in self.edges if "w_rec" not in edge]

    def _neurons(self, group: _Group) -> Any:
        nir, rows, table, gains = self.nir, group.rows, self.network.neurons, self.gains
        of_both = {
            "r": gains.r[rows], "v_leak": gains.v_leak[rows], "v_threshold": table.v_th[rows],
            "v_reset": table.v_reset[rows] if self.form.flavour == "current" else np.zeros(rows.size),
        }  # fmt: skip
        if self.network.synapse == "delta" or len(self.branches) > 1:
            return nir.LIF(tau=gains.tau[rows], **of_both)
        return nir.CubaLIF(
            tau_mem=gains.tau[rows], tau_syn=gains.tau_syn[""][rows], w_in=gains.w_in[""][rows], **of_both
        )

    def _gains(self) -> _Gains:
        network, dt, reads = self.network, self.dt, self.form.reads
        table, euler = network.neurons, self.form.decay == "euler"
        c = coefficients(network, np.float64).neurons

        def seconds(tau_ms: Floats) -> Floats:
            return dt / -np.expm1(-network.dt_ms / tau_ms) if euler else tau_ms / 1000

        tau, one = seconds(table.tau_mem_ms), np.ones(len(table))
        level = table.v_rest + table.bias
        v_leak = level if reads is None or reads.leaks_to else np.zeros(len(table))
        if network.synapse == "delta":
            r, scale, bias = tau / dt, None, None
            if reads is not None and not reads.gain_in_r:
                r, scale = one, tau / dt
            if reads is not None and not reads.leaks_to and level.any():
                bias = -np.expm1(-network.dt_ms / table.tau_mem_ms) * level
            return _Gains(tau, {}, r, {}, scale, v_leak, bias)
        single, _ = _tau_syn_ms(network)
        taus_ms = {"exc": table.tau_syn_exc_ms, "inh": table.tau_syn_inh_ms, "": single}
        kappa = {"exc": c.k_exc, "inh": c.k_inh, "": np.where(single == table.tau_syn_exc_ms, c.k_exc, c.k_inh)}
        tau_syn = {branch: seconds(taus_ms[branch]) for branch in self.branches}
        w_in = {branch: tau_syn[branch] / dt for branch in self.branches}
        reaches = {branch: kappa[branch] if euler else dt / tau for branch in self.branches}  # of a current, per step
        if len(self.branches) > 1:
            w_in = {branch: w_in[branch] * reaches[branch] * tau / dt for branch in self.branches}
            return _Gains(tau, tau_syn, one, w_in, None, v_leak, None)
        if reads is None or not reads.gain_in_r:
            return _Gains(tau, tau_syn, reaches[""] * tau / dt, w_in, None, v_leak, None)
        return _Gains(tau, tau_syn, tau / dt, w_in, reaches[""], v_leak, None)

    def _reached(self, groups: list[_Group]) -> set[int]:
        posts = np.union1d(self.network.inputs.post, self.network.recurrent.post)
        return {k for k, group in enumerate(groups) if np.isin(posts, group.rows).any()}

    def _connect(
        self, table: SynapseTable, late: NDArray[np.int64], source: tuple[str, str, NDArray[np.int64]], group: _Group,
        *, required: bool = False,
    ) -> None:  # fmt: skip
        """Nodes of the weights from one source to one group, one for each sign of two currents and each delay."""
        node, kind, units = source
        pre, post = _places(units, table.n_pre)[table.pre()], _places(group.rows, self.network.n_neurons)[table.post]
        for branch in self.branches:
            chosen = (pre >= 0) & (post >= 0)
            if branch:
                chosen &= np.signbit(table.weight) == (branch == "inh")
            delays = set(late[chosen].tolist())
            if required and branch == self.branches[0]:
                delays.add(0)
            for delay in sorted(delays):
                now = chosen & (late == delay)
                weight = np.zeros((group.rows.size, units.size), dtype=np.float32)
                np.add.at(weight, (post[now], pre[now]), table.weight[now])
                name = _name("w", kind, branch, group.name, str(delay + 1) if delay else "")
                self.nodes[name] = self._weights(weight, group, with_bias=kind == "in" and delay == 0)
                self.edges.append((name, _name("syn" if branch else "lif", branch, group.name)))
                self.edges.append((self._delayed(node, units.size, delay), name))

    def _weights(self, weight: NDArray[np.float32], group: _Group, *, with_bias: bool) -> Any:
        gains, values = self.gains, weight
        if gains.scale is not None:
            values = (weight * gains.scale[group.rows][:, None]).astype(np.float64)
        bias = gains.bias[group.rows] if with_bias and gains.bias is not None else None
        if bias is None and (self.form.reads is None or self.form.reads.has_linear):
            return self.nir.Linear(weight=values)
        return self.nir.Affine(weight=values, bias=np.zeros(group.rows.size) if bias is None else bias)

    def _delayed(self, node: str, size: int, delay: int) -> str:
        if delay == 0:
            return node
        name = f"{node}_delayed_{delay}"
        if name not in self.nodes:
            self.nodes[name] = self.nir.Delay(delay=np.full(size, delay * self.dt))
            self.edges.append((node, name))
        return name


def _name(*parts: str) -> str:
    return "_".join(part for part in parts if part)


def _places(units: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Where each of `n` stands among `units`; -1 where it does not."""
    place = np.full(n, -1)
    place[units] = np.arange(units.size)
    return place


def _all(network: Network) -> _Group:
    return _Group("", np.arange(network.n_neurons), 0, 0)


def _groups(network: Network) -> list[_Group]:
    """The populations. Between those that are not in one loop an edge takes no time in a graph, as between layers."""
    population = network.neurons.population
    names, index = np.unique(population, return_inverse=True)
    table = network.recurrent
    edges = set(zip(index[table.pre()].tolist(), index[table.post].tolist(), strict=True))
    first: dict[int, int] = {}
    for group, steps in zip(index[network.inputs.post].tolist(), _steps(network.inputs, network).tolist(), strict=True):
        first[group] = min(first.get(group, steps - 1), steps - 1)
    loop = loops(names.size, edges)
    level: dict[int, int] = {}
    for members in loop.in_order:
        told = [level[a] + 1 for a, b in edges if b in members and a not in members]
        told += [first[member] for member in members if member in first]
        level.update(dict.fromkeys(members, min(told, default=0)))
    return [
        _Group(str(name), np.flatnonzero(index == k), level[k], loop.of[k]) for k, name in enumerate(names.tolist())
    ]


def _steps(table: SynapseTable, network: Network) -> NDArray[np.int64]:
    return np.rint(np.divide(table.delay_ms, network.dt_ms, dtype=np.float64)).astype(np.int64)
