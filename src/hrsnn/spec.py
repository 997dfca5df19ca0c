"""NetworkSpec: the recipe of a network, one law per parameter; equal specs and seeds build equal networks.

The tables of a spec are the tables `[network]`, `[network.excitatory]`, `[network.inhibitory]`, `[input]`,
`[synapses]`, `[synapses.short_term]` and `[plasticity]` of a config file. Defaults are those of method.md 2.5, 3.3-3.5,
4.4 and 5.2.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from hrsnn._checks import InputError, as_text, did_you_mean, require, shortened
from hrsnn.distributions import Constant, Distribution, Gamma, Uniform, from_toml
from hrsnn.network import Reset, SynapseModel
from hrsnn.tables import Pairing

Wiring = Literal["distance", "small-world", "clustered"]
_ARM = re.compile(r"(Ho|He)N((Ho|He)S|[A-RT-Z])")
_Model = TypeVar("_Model", bound=BaseModel)


def arm_names(letter: str = "S") -> tuple[str, ...]:
    """Names of the arms that learn by a rule of this letter (`hrsnn.learners.Learner`): neurons × plasticity × rule.

    >>> arm_names(), arm_names("B")
    (('HoNHoS', 'HeNHoS', 'HoNHeS', 'HeNHeS'), ('HoNB', 'HeNB'))
    """
    ends = ("HoS", "HeS") if letter == "S" else (letter,)
    return tuple(neurons + end for end in ends for neurons in ("HoN", "HeN"))


PRESETS = arm_names()


def known_arm(name: str) -> str:
    """`name`, where it is that of an arm of any rule; else raises `InputError`."""
    require(
        isinstance(name, str) and _ARM.fullmatch(name) is not None, "NetworkSpec", "arm", "must be a known arm", name,
        remedy=did_you_mean(str(name), PRESETS),
    )  # fmt: skip
    return name


def _law_of(rule: Callable[[Distribution], bool], words: str) -> BeforeValidator:
    """Reads a law and holds it against a rule on its support."""

    def check(value: Any) -> Distribution:
        law = from_toml(value)
        require(rule(law), "Distribution", "support", f"must be {words}", list(law.support))
        return law

    return BeforeValidator(check)


def _is_positive(law: Distribution) -> bool:
    """A continuous law on (0, inf) has 0 at the end of its support but never takes it; one with an atom at 0 does."""
    return law.support[0] > 0 or (law.support[0] == 0 and math.isfinite(law.entropy))


PositiveLaw = Annotated[Distribution, _law_of(_is_positive, "> 0")]
ShareLaw = Annotated[Distribution, _law_of(lambda law: _is_positive(law) and law.mean <= 1, "> 0, with a mean up to 1")]
NonNegativeLaw = Annotated[Distribution, _law_of(lambda law: law.support[0] >= 0, ">= 0")]
AnyLaw = Annotated[Distribution, BeforeValidator(from_toml)]

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]


_DEEPEST = 20  # lists in lists: none of a config lies as deep


def _plain(value: Any, depth: int = 0) -> Any:
    """Numbers and arrays of NumPy and torch as numbers and lists of Python; all else as it is."""
    if depth > _DEEPEST:
        raise ValueError("must not be nested so deeply")
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(inner, depth + 1) for inner in value) if type(value) in (list, tuple) else value
    if isinstance(value, str) and "\0" in value:  # no path has it, and the system would answer with an error of its own
        raise ValueError("must have no null character")
    return value.tolist() if hasattr(value, "tolist") and hasattr(value, "dtype") else value


class Table(BaseModel):
    """A table of a config: frozen, strict, unknown keys forbidden, no infinity or NaN.

    Numbers, lists and arrays of NumPy or torch are taken as those of Python. Raises `InputError`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InputError(_sentence(error, type(self), type(self).__name__)) from None
        except UnicodeError as error:
            raise InputError(f"`{type(self).__name__}` holds text that is none: {error}") from None

    # So pydantic makes nested tables, and those of `validated`, without it, and names what is wrong by its whole path.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @model_validator(mode="before")
    @classmethod
    def _values_of_python(cls, tables: Any) -> Any:
        return {name: _plain(value) for name, value in tables.items()} if isinstance(tables, dict) else tables


class PopulationSpec(Table):
    """Laws of the neurons of one sign. Defaults are those of excitatory neurons.

    Membrane time constants are clipped to [2 dt, 200 dt] (method.md 2.3). First potentials are shared by all arms, so
    they do not follow the threshold: a neuron drawn to start above its own threshold fires in the first step.

    Every spike raises the threshold by `adapt`, and that decays with `tau_adapt_ms` (method.md 2.3); networks where
    `adapt` is 0 for both populations have no such columns.
    """

    tau_mem_ms: PositiveLaw = Gamma(20.0, 3.0)
    v_th: PositiveLaw = Gamma(1.0, 25.0)
    v_reset: AnyLaw = Constant(0.0)
    v_rest: AnyLaw = Constant(0.0)
    v_init: AnyLaw = Uniform(0.0, 1.0)
    t_ref_ms: NonNegativeLaw = Constant(3.0)
    bias: AnyLaw = Constant(0.0)
    tau_syn_exc_ms: PositiveLaw = Constant(3.0)
    tau_syn_inh_ms: PositiveLaw = Constant(6.0)
    adapt: NonNegativeLaw = Constant(0.0)
    tau_adapt_ms: PositiveLaw = Constant(200.0)


class InputSpec(Table):
    """Synapses from the input channels (method.md 3.5).

    subset_share      share of neurons that may receive input
    p_connect         P_IR, probability of each (channel, subset neuron) pair
    span              width of the window of neighbouring channels a neuron listens to, as a share of all channels;
                      1 is the whole input. Windows are cut at the ends of the input
    tonotopic         centres of the windows follow the first axis of the grid, so that neighbours listen to
                      neighbouring channels; otherwise they are uniform
    weight_excitatory, weight_inhibitory   mean weight onto neurons of that sign, gamma with `weight_shape`
    delay_ms          law of the delays; draws are rounded to whole steps, at least one (so 0 is one step)
    negative_share    probability that a synapse is negative, in networks without Dale's law
    calibrate         a run then multiplies weights by one gain per population, found on training data, so that
                      excitatory neurons fire at `target_hz` in the mean, inhibitory ones `inhibitory_ratio` times as
                      often (`hrsnn.calibrate`); the default for own data
    """

    subset_share: Probability = 0.3
    p_connect: Probability = 0.05
    span: Annotated[float, Field(gt=0, le=1)] = 1.0
    tonotopic: bool = False
    weight_excitatory: NonNegative = 0.6
    weight_inhibitory: NonNegative = 0.3
    weight_shape: Positive = 1.0
    delay_ms: NonNegativeLaw = Constant(0.0)
    negative_share: Probability = 0.0
    calibrate: bool = False
    target_hz: Positive = 15.0
    inhibitory_ratio: Positive = 3.0


# What neurons of one population have in common, whatever their time constants tau = R C: the power of tau / mean tau
# that their weights are multiplied with, as their resistance R is proportional to.
GAINS = {"resistance": 0.0, "variance": 0.5, "capacitance": 1.0}


class PairDynamics(Table):
    """Short-term dynamics of the synapses between neurons of two types: laws of the share `u` that the first spike
    uses, and of the time constants of recovery and of facilitation. Draws of `u` above 1 are 1.
    """

    u: ShareLaw
    tau_rec_ms: PositiveLaw
    tau_fac_ms: PositiveLaw


def _dynamics(u: float, tau_rec_ms: float, tau_fac_ms: float) -> PairDynamics:
    """With standard deviations of half the means."""
    return PairDynamics(u=Gamma(u, 4.0), tau_rec_ms=Gamma(tau_rec_ms, 4.0), tau_fac_ms=Gamma(tau_fac_ms, 4.0))


class ShortTermSpec(Table):
    """Synapses that depress and facilitate (method.md 3.4), the constants of Maass, Natschlaeger and Markram 2002.

    ee ... ii     laws by pair; a pair given in part keeps its defaults for the rest
    homogeneous   every law at its mean
    inputs        input synapses have the dynamics as well: those of `ee` onto excitatory neurons, else of `ei`

    A spike delivers the share `u r` of the weight: `weight_scale`, or the weights by pair, make up for what that takes.

    >>> dynamics = ShortTermSpec(ei={"u": 0.1})
    >>> dynamics.ei.u, dynamics.ei.tau_fac_ms
    (Constant(value=0.1), Gamma(mean=1200.0, shape=4.0))
    """

    ee: PairDynamics = _dynamics(0.5, 1100.0, 50.0)
    ei: PairDynamics = _dynamics(0.05, 125.0, 1200.0)
    ie: PairDynamics = _dynamics(0.25, 700.0, 20.0)
    ii: PairDynamics = _dynamics(0.32, 144.0, 60.0)
    homogeneous: bool = False
    inputs: bool = False

    @model_validator(mode="before")
    @classmethod
    def _fill_pairs(cls, tables: Any) -> Any:
        return _filled(cls, tables, PAIRS)

    def law(self, pair: str, column: str) -> Distribution:
        """The law that a column of the synapses of a pair is drawn from."""
        law: Distribution = getattr(getattr(self, pair), column)
        return law.homogenised() if self.homogeneous else law


PAIRS = ("ee", "ei", "ie", "ii")

_ShortTerm = Annotated[
    ShortTermSpec | None, BeforeValidator(lambda given: ({} if given else None) if isinstance(given, bool) else given)
]


class SynapseSpec(Table):
    """Recurrent wiring and weights (method.md 3.3, 3.4, 3.6, 3.7). Pairs are named pre, post: `c_ei` is E to I.

    wiring            "distance": P = C exp(-(D / length_scale)^2); "small-world": directed Watts-Strogatz ring;
                      "clustered": `n_clusters` of either (`cluster_wiring`), sparsely joined
    c_ee ... c_ii     amplitudes of the distance rule
    length_scale      lambda, in units of the grid
    n_neighbours, rewiring   out-neighbours per neuron and rewiring probability of the small-world graph
    p_inter           density between clusters, as a share of the mean density inside
    weight_scale      W_scale, factor on every recurrent weight
    weight_ee ...     mean |weight| by pair before scaling; gamma with `weight_shape`
    w_max_factor      upper bound under STDP, in units of the mean of the class (also of input weights)
    negative_share    probability that a synapse is negative, in networks without Dale's law
    short_term        how synapses depress and facilitate; None, or false: they are static, true: as published
    """

    wiring: Wiring = "distance"
    c_ee: Probability = 0.3
    c_ei: Probability = 0.2
    c_ie: Probability = 0.4
    c_ii: Probability = 0.1
    length_scale: Positive = 2.0
    n_neighbours: Annotated[int, Field(ge=1)] = 50
    rewiring: Probability = 0.5
    n_clusters: Annotated[int, Field(ge=2, le=2**15)] = 4
    cluster_wiring: Literal["distance", "small-world"] = "distance"
    p_inter: Probability = 0.1
    weight_scale: NonNegative = 1.0
    weight_ee: NonNegative = 1.0
    weight_ei: NonNegative = 1.0
    weight_ie: NonNegative = 1.5
    weight_ii: NonNegative = 1.5
    weight_shape: Positive = 1.0
    w_max_factor: Positive = 5.0
    delay_ms: NonNegativeLaw = Constant(0.0)
    negative_share: Probability = 0.2
    short_term: _ShortTerm = None


class PlasticitySpec(Table):
    """STDP (method.md 4). `a_plus` and `a_minus` are in units of each synapse's `w_max`."""

    a_plus: NonNegativeLaw = Gamma(0.01, 3.0)
    a_minus: NonNegativeLaw = Gamma(0.0105, 3.0)
    tau_plus_ms: PositiveLaw = Gamma(20.0, 3.0)
    tau_minus_ms: PositiveLaw = Gamma(20.0, 3.0)
    pairing: Pairing = "all-to-all"
    soft_bound: Probability = 0.0
    normalise: bool = True


_NEURON_LAWS = ("tau_mem_ms", "v_th")
_SYNAPSE_LAWS = ("a_plus", "a_minus", "tau_plus_ms", "tau_minus_ms")

# Absent from the plain form where they have their defaults, so that a recipe keeps the digest it always had.
_LATER_KEYS = {
    "": ("gain", "reset", "dale"),
    "excitatory": ("adapt", "tau_adapt_ms"),
    "inhibitory": ("adapt", "tau_adapt_ms"),
    "input": ("negative_share", "calibrate", "target_hz", "inhibitory_ratio"),
    "synapses": ("negative_share", "short_term"),
}


class NetworkSpec(Table):
    """The recipe of a network.

    `cluster_tau_ratio` is the ratio of the mean membrane time constants of neighbouring clusters of a clustered
    network; the mean over all clusters is that of the law (method.md 3.7 has 10, 20, 40, 80 ms: mean 37.5, ratio 2).

    `gain` says what neurons of different time constants share (method.md 2.7): "resistance", so that a slow one gets
    little potential from a spike; "capacitance", so that each gets the same from a spike; or, between them,
    "variance", so that the potential of each fluctuates as much under the same input.

    `reset` is that of `Network`. Without Dale's law (`dale`) every synapse has a sign of its own by chance, negative
    with the `negative_share` of its table; neurons keep their two types, by which laws, wiring and sizes of weights are
    chosen.

    >>> spec = NetworkSpec.preset("HeNHoS", n_inputs=10, n_neurons=100)
    >>> spec.plasticity.tau_plus_ms, spec.excitatory.tau_mem_ms
    (Constant(value=20.0), Gamma(mean=20.0, shape=3.0))
    """

    n_neurons: Annotated[int, Field(ge=1, lt=2**31)] = 500
    n_inputs: Annotated[int, Field(ge=1, lt=2**31)]
    excitatory_share: Probability = 0.8
    dt_ms: Annotated[float, Field(gt=0, le=1e9)] = 1.0
    synapse: SynapseModel = "exp"
    reset: Reset = "hard"
    dale: bool = True
    gain: Literal["resistance", "variance", "capacitance"] = "resistance"
    cluster_tau_ratio: Positive = 2.0
    excitatory: PopulationSpec = PopulationSpec()
    inhibitory: PopulationSpec = PopulationSpec(tau_mem_ms=Gamma(10.0, 3.0), t_ref_ms=Constant(2.0))
    input: InputSpec = InputSpec()
    synapses: SynapseSpec = SynapseSpec()
    plasticity: PlasticitySpec = PlasticitySpec()

    @model_validator(mode="before")
    @classmethod
    def _fill_populations(cls, tables: Any) -> Any:
        """A population given in part keeps the defaults of its own sign for the rest."""
        return _filled(cls, tables, ("excitatory", "inhibitory"))

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """One of the four arms: Ho/He N(eurons) and S(ynaptic plasticity), homogeneous or heterogeneous.

        `changes` are fields of the spec; `n_inputs` is required. Raises `InputError` for an unknown name.
        """
        known_arm(name)
        return validated(cls, changes).arm(name)

    def arm(self, name: str) -> Self:
        """This spec with the spread taken out where the arm is homogeneous, or does not use what it would be in."""
        known_arm(name)
        return self.homogenised(neurons=name.startswith("HoN"), synapses=not name.endswith("HeS"))

    def homogenised(self, *, neurons: bool = False, synapses: bool = False) -> Self:
        """The same spec with exactly these laws at their means (docs/explanation/heterogeneity.md).

        `neurons` concerns `tau_mem_ms` (with the ladder of the clusters) and `v_th` of both populations, `synapses`
        the four laws of the plasticity. Adaptation and short-term dynamics keep their laws.
        Everything drawn from other laws is the same as before under the same seed.
        """
        changes: dict[str, Any] = {}
        if neurons:
            for sign in ("excitatory", "inhibitory"):
                changes[sign] = _at_means(getattr(self, sign), _NEURON_LAWS)
            changes["cluster_tau_ratio"] = 1.0
        if synapses:
            changes["plasticity"] = _at_means(self.plasticity, _SYNAPSE_LAWS)
        return self.model_copy(update=changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values that `from_dict` reads back as an equal spec."""
        tables = self.model_dump()
        for name, keys in _LATER_KEYS.items():
            ours, defaults = (getattr(self, name), type(getattr(self, name))) if name else (self, NetworkSpec)
            table = tables[name] if name else tables
            for key in keys:
                if getattr(ours, key) == defaults.model_fields[key].default:
                    del table[key]
        return tables

    @classmethod
    def from_dict(cls, tables: dict[str, Any]) -> Self:
        """Read a spec from plain values; one sentence of `InputError` for each way it can be wrong."""
        return validated(cls, tables)


def validated(model: type[_Model], tables: dict[str, Any], *, place: str = "") -> _Model:
    """`model` made of plain values, with the first thing that is wrong told in one sentence.

    `place` is the dotted name of the table in the file, "" for the top. Raises `InputError`.
    """
    try:
        return model.model_validate(tables)
    except ValidationError as error:
        raise InputError(_sentence(error, model, place)) from None
    except UnicodeError as error:  # half a sign, as names of files can have
        raise InputError(f"`{place or model.__name__}` holds text that is none: {error}") from None


def _sentence(error: ValidationError, model: type[BaseModel], place: str) -> str:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"] if not str(part).startswith("function-")]
    name = shortened(".".join([*([place] if place else []), *path]))
    if first["type"] == "extra_forbidden":
        return f"unknown key `{name}`; {did_you_mean(path[-1], _keys_at(model, path[:-1]))}"
    message = first["msg"].removeprefix("Value error, ")
    given = "" if first["type"] == "missing" else f" (got {as_text(first['input'], quotes=True)})"
    return f"`{name}`: {message[0].lower() + message[1:]}{given}"


def _keys_at(model: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        annotation = model.model_fields[part].annotation
        kinds = [kind for kind in get_args(annotation) or (annotation,) if isinstance(kind, type)]
        tables = [kind for kind in kinds if issubclass(kind, BaseModel)]
        if not tables:
            return []
        model = tables[0]
    return list(model.model_fields)


def _filled(model: type[BaseModel], tables: Any, names: tuple[str, ...]) -> Any:
    """Tables that are given in part, with the defaults of `model` for them in the rest."""
    if not isinstance(tables, dict):
        return tables
    filled = dict(tables)
    for name in names:
        given, default = filled.get(name), model.model_fields[name].default
        if isinstance(given, dict):
            filled[name] = {**{key: getattr(default, key) for key in type(default).model_fields}, **given}
    return filled


def _at_means(table: Any, names: tuple[str, ...]) -> Any:
    return table.model_copy(update={name: getattr(table, name).homogenised() for name in names})
