"""The config file: every way to be right reads back equal, every way to be wrong is one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hrsnn._checks import FileError, InputError
from hrsnn.config import (
    Config,
    first_difference,
    from_tables,
    load_config,
    preset_names,
    prune_table,
    to_tables,
    to_toml,
)
from hrsnn.distributions import Constant, Gamma, Uniform
from hrsnn.pruning.spec import LnpSpec, PruneSpec
from hrsnn.spec import NetworkSpec

NAMED = [
    "delayed-match", "delayed-recall", "digit-pairs", "google-stock", "hd-spikes", "hd-spikes-backprop", "lorenz63",
    "lorenz63-long", "lorenz63-x", "mackey-glass", "mackey-glass-recurrent", "shd", "spoken-digits",
    "spoken-digits-backprop",
]  # fmt: skip


TINY = Path(__file__).with_name("tiny.toml")


def lorenz(*overrides: str, **more: int) -> Config:
    return load_config(TINY, overrides, **more)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "c.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_built_in_configs_are_these() -> None:
    assert preset_names() == NAMED


@pytest.mark.parametrize("name", NAMED)
def test_what_is_written_reads_back_equal(name: str, tmp_path: Path) -> None:
    # The grid is given, so that no data set is needed.
    config = load_config(name, ["network.n_inputs=7", "network.dt_ms=0.1"])
    text = to_toml(config)
    again = load_config(written(tmp_path, text))
    assert again == config
    assert to_toml(again) == text


def test_every_kind_of_law_reads_back_equal(tmp_path: Path) -> None:
    laws = [
        "network.tau_mem_ms={lognormal={mean=20.1,sd=0.3}}", "network.inhibitory.tau_mem_ms={empirical={values=[3,1]}}",
        "network.bias={normal={mean=-0.1, sd=1e-300}}", "network.v_init={uniform={low=-1,high=0.30000000000000004}}",
        "input.delay_ms=3", "plasticity.a_plus={gamma={mean=0.01,shape=3}}", 'task.name="lorenz63"',
    ]  # fmt: skip
    config = lorenz(*laws)
    assert load_config(written(tmp_path, to_toml(config))) == config


def test_texts_with_awkward_characters_read_back_equal(tmp_path: Path) -> None:
    tables = to_tables(lorenz())
    tables["task"] |= {"name": 'a "b"\n</script>\\ é \u2028', "path": "C:\\x'y"}
    config = from_tables(tables)
    assert load_config(written(tmp_path, to_toml(config))) == config


def test_no_argument_is_spoken_digits() -> None:
    assert load_config().task.name == "spoken-digits"


def test_the_grid_of_the_network_comes_from_the_task() -> None:
    network = load_config("spoken-digits").network
    assert (network.n_inputs, network.dt_ms) == (140, 2.0)


def test_a_population_key_sets_both_and_the_specific_wins(tmp_path: Path) -> None:
    text = (
        '[task]\nname="lorenz63"\n[network]\ntau_mem_ms=15\n[network.inhibitory]\ntau_mem_ms=7\nt_ref_ms=1\n'
        "[network.excitatory]\nt_ref_ms=3\n"
    )
    network = load_config(written(tmp_path, text)).network
    assert (network.excitatory.tau_mem_ms, network.inhibitory.tau_mem_ms) == (Constant(15.0), Constant(7.0))
    assert (network.excitatory.t_ref_ms, network.inhibitory.t_ref_ms) == (Constant(3.0), Constant(1.0))


def test_populations_keep_the_defaults_of_their_sign() -> None:
    network = lorenz("network.v_th=2").network
    for sign in ("excitatory", "inhibitory"):
        default = NetworkSpec.model_fields[sign].default
        assert getattr(network, sign).tau_mem_ms == default.tau_mem_ms
        assert getattr(network, sign).v_th == Constant(2.0)


def test_set_of_both_populations_beats_a_complete_file(tmp_path: Path) -> None:
    path = written(tmp_path, to_toml(lorenz()))
    network = load_config(path, ["network.tau_mem_ms=15"]).network
    assert network.excitatory.tau_mem_ms == network.inhibitory.tau_mem_ms == Constant(15.0)


def test_set_of_one_population_beats_set_of_both_in_any_order() -> None:
    both, one = "network.tau_mem_ms=15", "network.excitatory.tau_mem_ms={gamma={mean=20,shape=3}}"
    assert lorenz(both, one) == lorenz(one, both)
    assert lorenz(one, both).network.excitatory.tau_mem_ms == Gamma(20.0, 3.0)


def test_set_takes_toml_values_and_bare_words() -> None:
    config = lorenz(
        'task.arms=["HeNHeS"]', "network.synapse=delta", " synapses.wiring = 'small-world' ", "learn.n_epochs=3"
    )
    assert (config.task.arms, config.network.synapse, config.network.synapses.wiring) == (
        ["HeNHeS"], "delta", "small-world",
    )  # fmt: skip
    assert config.learn is not None
    assert config.learn.n_epochs == 3


def test_set_reaches_into_a_law_and_into_a_nested_table() -> None:
    config = lorenz(
        "network.v_init={uniform={low=0,high=1}}", "network.v_init.uniform.high=2", "task.forecast.n_starts=3"
    )
    assert config.network.excitatory.v_init == Uniform(0.0, 2.0)
    assert config.task.forecast.n_starts == 3


def test_learning_is_off_without_its_table(tmp_path: Path) -> None:
    off = lorenz("learn=false")
    assert off.learn is None
    assert "[learn]" not in to_toml(off)
    assert load_config(written(tmp_path, to_toml(off))).learn is None
    assert load_config(written(tmp_path, to_toml(off)), ["learn=true"]).learn is not None


def test_pruning_is_off_without_its_table(tmp_path: Path) -> None:
    assert lorenz().prune is None
    on = lorenz("prune=true", "prune.lnp.edges=none")
    assert on.prune == PruneSpec(lnp=LnpSpec(edges="none"))
    assert on.prune.keep_synapses == 0.05
    assert load_config(written(tmp_path, to_toml(on))) == on
    assert load_config(written(tmp_path, to_toml(on)), ["prune=false"]) == lorenz()
    assert first_difference(lorenz(), on) == ("prune.methods", "absent", '["lnp"]')


def test_a_share_has_a_point_and_a_count_has_none() -> None:
    table = prune_table(["prune.keep_synapses=0.5", "prune.keep_neurons=60"])
    assert (table.keep_synapses, table.keep_neurons, prune_table().keep_synapses) == (0.5, 60, 0.05)
    assert prune_table(["prune.max_bytes=5000"]).keep_synapses == 0  # another target takes the place of the default
    with pytest.raises(InputError, match=r"--set network\.\.\. is for networks that are built from a config"):
        prune_table(["network.n_neurons=3"])


def test_seed_and_seeds_are_of_the_task() -> None:
    task = lorenz(seed=4, n_seeds=2).task
    assert (task.seed, task.n_seeds) == (4, 2)


def test_the_first_difference_is_named_with_both_values() -> None:
    assert first_difference(lorenz(), lorenz()) is None
    assert first_difference(lorenz(), lorenz(n_seeds=7)) == ("task.n_seeds", "3", "7")
    law = "{gamma = {mean = 1.0, shape = 25.0}}"
    changed = lorenz("network.excitatory.v_th=2")
    assert first_difference(lorenz(), changed) == ("network.excitatory.v_th", law, "2.0")
    assert first_difference(lorenz("learn=false"), lorenz()) == ("learn.rule", "absent", '"stdp"')
    assert first_difference(lorenz(), lorenz("task.forecast.dt=0.02")) == ("task.forecast.dt", "0.01", "0.02")


def test_mechanisms_are_given_by_a_config_and_read_back(tmp_path: Path) -> None:
    config = lorenz(
        "network.reset=subtract", "network.dale=false", "synapses.negative_share=0.5", "network.adapt=0.1",
        "network.inhibitory.adapt=0.3", "synapses.short_term.inputs=true",
        "synapses.short_term.ei.u={uniform={low=0.0,high=0.2}}",
    )  # fmt: skip
    network, dynamics = config.network, config.network.synapses.short_term
    assert dynamics is not None
    assert (network.reset, network.dale, network.synapses.negative_share) == ("subtract", False, 0.5)
    assert (network.excitatory.adapt, network.inhibitory.adapt) == (Constant(0.1), Constant(0.3))
    assert (dynamics.inputs, dynamics.ei.u, dynamics.ee.u) == (True, Uniform(0.0, 0.2), Gamma(0.5, 4.0))
    path = written(tmp_path, to_toml(config))
    assert load_config(path) == config
    assert load_config(path, ["synapses.short_term=false"]).network.synapses.short_term is None
    assert lorenz("synapses.short_term=true") == lorenz("synapses.short_term={}")


def test_an_arm_can_have_short_term_dynamics_of_its_own() -> None:
    config = lorenz("arms.HeNHeS.synapses.short_term.homogeneous=true", "arms.HoNHoS.synapses.short_term=false")
    dynamics = {arm: config.of_arm(arm).network.synapses.short_term for arm in ("HeNHeS", "HoNHoS", "HeNHoS")}
    assert dynamics["HeNHeS"] is not None
    assert dynamics["HeNHeS"].homogeneous
    assert (dynamics["HoNHoS"], dynamics["HeNHoS"]) == (None, None)


WRONG = {
    "synapses.short_term.ee.tau_rec=1": 'unknown key `synapses.short_term.ee.tau_rec`; did you mean "tau_rec_ms"?',
    "synapses.short_term=depressing": "`synapses.short_term`: .*depressing",
    "network.reset=soft": "`network.reset`: .*soft",
    "input.p_conect=0.1": 'unknown key `input.p_conect`; did you mean "p_connect"?',
    "network.p_connect=0.1": 'unknown key `network.p_connect`; did you mean "input.p_connect"?',
    "network.input.p_connect=0.1": r"unknown key `network.input`; \[input\] is a table of its own",
    "network.tau_mem=3": 'unknown key `network.tau_mem`; did you mean "tau_mem_ms"?',
    "network.excitatory.tau_mem=3": 'unknown key `network.excitatory.tau_mem`; did you mean "tau_mem_ms"?',
    "network.input.p_connect=1": "unknown key `network.input`",
    "task.forecast.n_star=1": "unknown key `task.forecast.n_star`",
    "netwrok.n_neurons=1": 'unknown table `netwrok`; did you mean "network"?',
    "prune.lnp.edge=none": 'unknown key `prune.lnp.edge`; did you mean "edges"?',
    "prune.keep_synapse=1": 'unknown key `prune.keep_synapse`; did you mean "keep_synapses"?',
    "prune.keep_synapses=1.5": r"`prune.keep_synapses`: must be a share up to 1, written with a .* \(got 1.5\)",
    "prune.keep_neurons=-1": "`prune.keep_neurons`: must be a share",
    "prune.keep_neurons=few": "`prune.keep_neurons`: must be a share .*few",
    "prune.keep_neurons=true": "`prune.keep_neurons`: must be a share .*True",
    'prune.methods=["lpn"]': '`prune.methods.0`: .*lpn; did you mean "lnp"',
    "prune.n_iterations=0": "`prune.n_iterations`: .* greater than or equal to 1",
    "seed=3": 'unknown key `seed`; did you mean "task.seed"?',
    "network=3": "`network` must be a table, got 3",
    "network.excitatory=3": "`network.excitatory` must be a table, got 3",
    "network.tau_mem_ms=-1": "`network.tau_mem_ms`: .* must be > 0",
    "network.inhibitory.tau_mem_ms=0": "`network.inhibitory.tau_mem_ms`: .* must be > 0",
    "network.tau_mem_ms=nan": "`network.tau_mem_ms`: .* finite",
    "network.tau_mem_ms={gama={mean=1,shape=1}}": 'did you mean "gamma"',
    "network.tau_mem_ms={gamma={mean=1}": "is not a TOML value",
    "network.n_neurons=1.5": "`network.n_neurons`: .* integer .*1.5",
    "network.n_neurons=many": "`network.n_neurons`: .* integer .*many",
    "network.n_neurons=true": "`network.n_neurons`",
    "input.p_connect=1.5": "`input.p_connect`: .* less than or equal to 1 .*1.5",
    "input.p_connect=inf": "`input.p_connect`: .* finite",
    "task.n_seeds=0": "`task.n_seeds`: .* greater than or equal to 1",
    "task.name.x=3": "`task.name` is 'lorenz63', not a table",
    "no_equals": "must have the form table.key=value",
    "=3": "must have the form table.key=value",
    "a b=3": "must have the form table.key=value",
}


@pytest.mark.parametrize(("override", "message"), WRONG.items())
def test_what_is_wrong_is_told_in_one_sentence(override: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        lorenz(override)
    assert "\n" not in str(caught.value)


def test_a_value_cannot_smuggle_in_other_keys() -> None:
    with pytest.raises(InputError, match=r"`task.n_seeds`"):
        lorenz("task.n_seeds=1\nother=2")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[task\n", "is not valid TOML: .* line 1"),
        (b"\xff\xfe[\x00t\x00", "is not text in UTF-8"),
        (b"task = 3\n", "`task` must be a table, got 3"),
        (b"[prun]\nx = 1\n", "unknown table `prun`"),
        (b"[task]\nname = 3\n", "`task.name`: .* string"),
        (b"a=" + b"[" * 100_000, "is not valid TOML"),
    ],
)
def test_files_that_are_wrong(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_config(path)


def test_sources_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileError, match='"lorenz" is neither a file nor a built-in name; did you mean "lorenz63"'):
        load_config("lorenz")
    with pytest.raises(FileError, match=r"c.toml does not exist"):
        load_config(str(tmp_path / "c.toml"))
    with pytest.raises(FileError, match=r"no WAV file in this folder"):
        load_config(str(tmp_path))
    (tmp_path / "config.toml").touch()
    with pytest.raises(FileError, match=r"is a directory; give .*config.toml"):
        load_config(str(tmp_path))


def test_a_file_of_another_name_can_be_read_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shd").write_text(to_toml(lorenz()), encoding="utf-8")
    assert load_config("./shd") == lorenz()


@pytest.mark.parametrize("key", ["task.path", "task.name"])
def test_zero_characters_are_told(key: str) -> None:
    with pytest.raises(InputError, match=f"`{key}` must be text without zero characters"):
        load_config("lorenz63", [f'{key}="a\\u0000b"'])


@pytest.mark.parametrize("change", [lambda t: b"\xef\xbb\xbf" + t, lambda t: t.replace(b"\n", b"\r\n")])
def test_what_editors_of_windows_write(change: Callable[[bytes], bytes], tmp_path: Path) -> None:
    text = b"[task]\nname = 'lorenz63'\n\n[network]\nn_neurons = 40\n"
    (tmp_path / "plain.toml").write_bytes(text)
    (tmp_path / "windows.toml").write_bytes(change(text))
    assert load_config(tmp_path / "windows.toml") == load_config(tmp_path / "plain.toml")


# -- arms that have values of their own --------------------------------------------------------------------------------

OF_ARMS = [
    "arms.HoNHoS.network.excitatory.tau_mem_ms=15.0",
    "arms.HoNHoS.network.tau_mem_ms=12.0",
    "arms.HeNHeS.synapses.weight_scale=2.0",
    "arms.HeNHeS.plasticity.a_plus={gamma={mean=0.001,shape=3.0}}",
]


def test_an_arm_has_what_stands_under_its_name() -> None:
    config = load_config("spoken-digits", [*OF_ARMS, "network.inhibitory.tau_mem_ms=9.0"])
    own = config.of_arm("HoNHoS").network
    assert (own.excitatory.tau_mem_ms.mean, own.inhibitory.tau_mem_ms.mean) == (15.0, 12.0)
    assert config.of_arm("HeNHeS").network.synapses.weight_scale == 2.0
    assert config.of_arm("HeNHeS").network.inhibitory.tau_mem_ms.mean == 9.0
    assert config.of_arm("HeNHoS") == load_config("spoken-digits", ["network.inhibitory.tau_mem_ms=9.0"])
    assert config.of_arm("HoNHoS").of_arm("HeNHeS") == config.of_arm("HoNHoS")


def test_a_file_holds_what_arms_have(tmp_path: Path) -> None:
    config = load_config("spoken-digits", OF_ARMS)
    path = tmp_path / "own.toml"
    path.write_text(to_toml(config))
    assert load_config(path) == config
    other = load_config(path, ["arms.HoNHoS.network.tau_mem_ms=13.0"])
    assert first_difference(config, other) == ("arms.HoNHoS.network.tau_mem_ms", "12.0", "13.0")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("arms.HoN.synapses.weight_scale=2", r'must be of HoNHoS, .*, got HoN; did you mean "HoNHoS"\?'),
        ("arms.HoNHoS.synapses.weight_scal=2", r"unknown key `synapses.weight_scal`; .* \(in arms.HoNHoS\)"),
        ("arms.HoNHoS.synapses.weight_scale=-2", r"greater than or equal to 0 \(got -2\) \(in arms.HoNHoS\)"),
        ("arms.HoNHoS.task.seed=2", r"`arms.HoNHoS` of `config` must hold keys of network, "),
        ("arms.HoNHoS=3", r"`arms.HoNHoS` of `config` must hold keys of network, "),
        ("arms=3", r"`arms` of `config` must be tables by the names of arms, got 3"),
    ],
)
def test_what_is_wrong_for_an_arm_is_told(override: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_config("spoken-digits", [override])
