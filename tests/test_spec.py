"""NetworkSpec: what is legal, presets and arms, the plain form."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import ValidationError

from hrsnn._checks import InputError
from hrsnn.distributions import Constant, Empirical, Gamma, Normal, Uniform
from hrsnn.spec import (
    PAIRS,
    PRESETS,
    InputSpec,
    NetworkSpec,
    PlasticitySpec,
    PopulationSpec,
    ShortTermSpec,
    SynapseSpec,
    validated,
)


def spec(**tables: Any) -> NetworkSpec:
    return NetworkSpec.from_dict({"n_inputs": 3, **tables})


def flat(tables: dict[str, Any], stem: str = "") -> dict[str, Any]:
    """`{"excitatory": {"v_th": 1}}` as `{"excitatory.v_th": 1}`; laws stay whole."""
    found: dict[str, Any] = {}
    for name, value in tables.items():
        inside = isinstance(value, dict) and name in ("excitatory", "inhibitory", "input", "synapses", "plasticity")
        found |= flat(value, f"{name}.") if inside else {stem + name: value}
    return found


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"n_neuron": 5}, 'unknown key `n_neuron`; did you mean "n_neurons"?'),
        ({"excitatory": {"tau_mem": 5}}, 'unknown key `excitatory.tau_mem`; did you mean "tau_mem_ms"?'),
        ({"synapses": {"c_eee": 0.1}}, 'unknown key `synapses.c_eee`; did you mean "c_'),
        ({"n_neurons": 0}, "`n_neurons`: input should be greater than or equal to 1 (got 0)"),
        ({"n_neurons": "5"}, "`n_neurons`: input should be a valid integer (got '5')"),
        ({"n_neurons": 5.0}, "`n_neurons`: input should be a valid integer (got 5.0)"),
        ({"n_neurons": True}, "`n_neurons`: input should be a valid integer (got True)"),
        ({"n_inputs": 0}, "`n_inputs`: input should be greater than or equal to 1 (got 0)"),
        ({"dt_ms": 0.0}, "`dt_ms`: input should be greater than 0 (got 0.0)"),
        ({"dt_ms": float("nan")}, "`dt_ms`: input should be a finite number (got nan)"),
        ({"excitatory_share": 1.1}, "`excitatory_share`: input should be less than or equal to 1 (got 1.1)"),
        ({"input": {"p_connect": 1.5}}, "`input.p_connect`: input should be less than or equal to 1 (got 1.5)"),
        ({"synapses": {"c_ee": -0.1}}, "`synapses.c_ee`: input should be greater than or equal to 0 (got -0.1)"),
        ({"synapses": {"length_scale": 0}}, "`synapses.length_scale`: input should be greater than 0 (got 0)"),
        ({"synapses": {"wiring": "ring"}}, "`synapses.wiring`: input should be 'distance', 'small-world'"),
        ({"synapse": "alpha"}, "`synapse`: input should be 'exp' or 'delta' (got 'alpha')"),
        ({"plasticity": {"soft_bound": 2.0}}, "`plasticity.soft_bound`: input should be less than or equal to 1"),
        ({"excitatory": {"tau_mem_ms": -3.0}}, "`support` of `Distribution` must be > 0, got [-3.0, -3.0] (got -3.0)"),
        ({"excitatory": {"tau_mem_ms": 0}}, "`excitatory.tau_mem_ms`: "),
        ({"plasticity": {"tau_plus_ms": {"normal": {"mean": 20, "sd": 1}}}}, "must be > 0, got [-inf, inf]"),
        ({"plasticity": {"tau_plus_ms": {"empirical": {"values": [0, 1]}}}}, "must be > 0, got [0.0, 1.0]"),
        ({"plasticity": {"a_plus": {"uniform": {"low": -0.1, "high": 1}}}}, "must be >= 0, got [-0.1, 1.0]"),
        ({"excitatory": {"v_th": {"gama": {"mean": 1, "shape": 1}}}}, 'did you mean "gamma"?'),
        ({"excitatory": 3}, "`excitatory`: input should be a valid dictionary"),
    ],
)  # fmt: skip
def test_one_sentence_for_each_way_to_be_wrong(tables: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        spec(**tables)


def test_what_must_be_given() -> None:
    with pytest.raises(InputError, match=r"`n_inputs`: field required$"):
        NetworkSpec.from_dict({})


def test_the_place_of_a_table_is_told() -> None:
    with pytest.raises(InputError, match=re.escape("unknown key `input.spann`")):
        validated(InputSpec, {"spann": 1}, place="input")


def test_integers_are_fine_where_numbers_are_wanted() -> None:
    assert spec(dt_ms=1, excitatory={"tau_mem_ms": 20}).excitatory.tau_mem_ms == Constant(20.0)


def test_laws_that_touch_zero_are_positive_if_they_have_no_atom_there() -> None:
    for law in (Gamma(1.0, 0.5), Uniform(0.0, 1.0), Empirical((0.5,))):
        assert PopulationSpec(v_th=law).v_th == law
    assert PlasticitySpec(a_plus=0.0).a_plus == Constant(0.0)  # type: ignore[arg-type]
    assert PopulationSpec(v_init=Normal(0.0, 1.0)).v_init == Normal(0.0, 1.0)


def test_a_population_given_in_part_keeps_the_defaults_of_its_sign() -> None:
    found = spec(excitatory={"v_th": 2.0}, inhibitory={"v_th": 3.0})
    assert (found.excitatory.tau_mem_ms, found.inhibitory.tau_mem_ms) == (Gamma(20.0, 3.0), Gamma(10.0, 3.0))
    assert (found.excitatory.t_ref_ms, found.inhibitory.t_ref_ms) == (Constant(3.0), Constant(2.0))
    assert (found.excitatory.v_th, found.inhibitory.v_th) == (Constant(2.0), Constant(3.0))


def test_defaults_are_those_of_the_specification() -> None:
    """method.md 2.5, 3.3-3.5, 4.4, 5.2."""
    s = SynapseSpec()
    assert (s.c_ee, s.c_ei, s.c_ie, s.c_ii, s.length_scale) == (0.3, 0.2, 0.4, 0.1, 2.0)
    assert (s.weight_ee, s.weight_ei, s.weight_ie, s.weight_ii, s.weight_scale, s.weight_shape) == (
        1,
        1,
        1.5,
        1.5,
        1,
        1,
    )
    assert (s.n_neighbours, s.rewiring, s.p_inter, s.n_clusters, s.w_max_factor) == (50, 0.5, 0.1, 4, 5)
    i = InputSpec()
    assert (i.subset_share, i.p_connect, i.weight_excitatory, i.weight_inhibitory) == (0.3, 0.05, 0.6, 0.3)
    assert spec().excitatory.v_th == Gamma(1.0, 25.0)
    assert (spec().excitatory_share, spec().synapse) == (0.8, "exp")


def test_specs_are_values() -> None:
    assert spec() == spec()
    assert hash(spec()) == hash(spec())
    assert spec() != spec(n_neurons=501)
    with pytest.raises(ValidationError, match="frozen"):
        spec().n_neurons = 3


_OF_NEURONS = {f"{sign}.{name}" for sign in ("excitatory", "inhibitory") for name in ("tau_mem_ms", "v_th")}
_OF_SYNAPSES = {f"plasticity.{name}" for name in ("a_plus", "a_minus", "tau_plus_ms", "tau_minus_ms")}


@pytest.mark.parametrize(
    ("name", "homogeneous"),
    [("HeNHeS", set()), ("HoNHeS", _OF_NEURONS), ("HeNHoS", _OF_SYNAPSES), ("HoNHoS", _OF_NEURONS | _OF_SYNAPSES)],
)
def test_arms_take_the_spread_out_of_exactly_these_laws(name: Any, homogeneous: set[str]) -> None:
    """docs/explanation/heterogeneity.md. Weights, delays, refractory times, even with a spread, keep their laws."""
    heterogeneous = spec(
        excitatory={"t_ref_ms": Gamma(3.0, 3.0), "v_reset": Uniform(-1.0, 0.0)}, input={"delay_ms": Uniform(0.0, 5.0)}
    )
    before, after = flat(heterogeneous.to_dict()), flat(heterogeneous.arm(name).to_dict())
    changed = {key for key in before if before[key] != after[key]}
    assert changed - {"cluster_tau_ratio"} == homogeneous
    for key in homogeneous:
        ((arguments),) = before[key].values()
        assert after[key] == arguments["mean"]
    assert ("cluster_tau_ratio" in changed) == name.startswith("HoN")


def test_presets_are_arms_of_the_default() -> None:
    for name in PRESETS:
        assert NetworkSpec.preset(name, n_inputs=3, n_neurons=7) == spec(n_neurons=7).arm(name)
    with pytest.raises(InputError, match='must be a known arm, got HeNHes; did you mean "HeNHeS"'):
        NetworkSpec.preset("HeNHes", n_inputs=3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="must be a known arm"):
        spec().arm("X")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="unknown key `n_neuron`"):
        NetworkSpec.preset("HeNHeS", n_inputs=3, n_neuron=7)


def test_the_plain_form_leaves_out_what_came_later_where_it_is_not_used() -> None:
    """So the recipe of a network, and the hash that covers it, are those it had before."""
    plain = spec().to_dict()
    assert {"reset", "dale", "gain"}.isdisjoint(plain)
    for table in ("excitatory", "inhibitory", "input", "synapses"):
        assert {"adapt", "tau_adapt_ms", "negative_share", "short_term", "calibrate"}.isdisjoint(plain[table])
    used = spec(
        reset="subtract", dale=False, inhibitory={"adapt": 0.1}, excitatory={"tau_adapt_ms": 90.0},
        input={"negative_share": 0.5}, synapses={"negative_share": 0.1, "short_term": {"ei": {"u": 0.2}}},
    )  # fmt: skip
    found = used.to_dict()
    assert NetworkSpec.from_dict(found) == used
    assert (found["reset"], found["dale"], found["excitatory"]["tau_adapt_ms"]) == ("subtract", False, 90.0)
    assert (found["inhibitory"]["adapt"], found["synapses"]["short_term"]["ei"]["u"]) == (0.1, 0.2)


def test_a_pair_given_in_part_keeps_its_constants() -> None:
    """Maass, Natschlaeger and Markram 2002 (method.md 3.4): mean U, recovery and facilitation of EE, EI, IE, II."""
    found = SynapseSpec(short_term={"ie": {"u": 0.9}}).short_term  # type: ignore[arg-type]
    assert found is not None
    means = {p: [found.law(p, name).mean for name in ("u", "tau_rec_ms", "tau_fac_ms")] for p in PAIRS}
    assert means == {"ee": [0.5, 1100, 50], "ei": [0.05, 125, 1200], "ie": [0.9, 700, 20], "ii": [0.32, 144, 60]}
    law = found.law("ee", "tau_rec_ms")
    assert law.variance**0.5 / law.mean == pytest.approx(0.5)
    homogeneous = found.model_copy(update={"homogeneous": True})
    assert homogeneous.law("ee", "tau_rec_ms") == Constant(1100.0)


def test_short_term_dynamics_are_put_in_and_taken_out_by_a_word() -> None:
    assert spec(synapses={"short_term": True}).synapses.short_term == ShortTermSpec()
    assert spec(synapses={"short_term": False}).synapses.short_term is None


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"reset": "soft"}, "`reset`: input should be 'hard' or 'subtract' (got 'soft')"),
        ({"dale": 0}, "`dale`: input should be a valid boolean (got 0)"),
        ({"excitatory": {"adapt": -0.1}}, "must be >= 0, got [-0.1, -0.1]"),
        ({"excitatory": {"tau_adapt_ms": 0}}, "must be > 0"),
        ({"input": {"negative_share": 1.5}}, "`input.negative_share`: input should be less than or equal to 1"),
        ({"synapses": {"short_term": 3}}, "`synapses.short_term`: input should be a valid dictionary"),
        ({"synapses": {"short_term": {"input": True}}}, '`synapses.short_term.input`; did you mean "inputs"?'),
        ({"synapses": {"short_term": {"ee": {"U": 0.1}}}}, 'short_term.ee.U`; known: tau_fac_ms, tau_rec_ms, u'),
        ({"synapses": {"short_term": {"ee": {"u": 1.5}}}}, "must be > 0, with a mean up to 1, got [1.5, 1.5]"),
        ({"synapses": {"short_term": {"ee": {"u": 0}}}}, "must be > 0, with a mean up to 1, got [0.0, 0.0]"),
    ],
)  # fmt: skip
def test_one_sentence_for_each_way_that_a_mechanism_is_wrong(tables: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        spec(**tables)
