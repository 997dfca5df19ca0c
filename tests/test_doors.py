"""What comes in from outside: numbers and arrays of NumPy and torch are taken, what does not fit is told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import hrsnn
from hrsnn import cli
from hrsnn._checks import FileError, InputError, as_array, real_number, whole_number
from hrsnn.analysis.drive import WhiteDrive
from hrsnn.cli.app import USAGE, told
from hrsnn.data.chaos import lorenz63
from hrsnn.data.dataset import Dataset, Series
from hrsnn.encode import AudioCode, PopulationCode
from hrsnn.encode.duration import regrid, stretch
from hrsnn.encode.events import pool_events
from hrsnn.encode.values import ValueCode
from hrsnn.forecast import ForecastSpec, ForecastTask
from hrsnn.network import Network
from hrsnn.network_file import load_tensors, save_tensors
from hrsnn.pruning.target import Target
from hrsnn.readout import Readout, ReadoutSpec
from hrsnn.spec import NetworkSpec
from hrsnn.tables import LARGEST
from hrsnn.tasks import TaskSpec, load_task
from networks import random_network, random_spikes
from small_tasks import splits

HUGE = 10**40
ONES = (3, np.int8(3), np.uint64(3), np.array(3))


def network(**columns: Any) -> Network:
    made = random_network(np.random.default_rng(0), n=6, n_inputs=3, longest_delay=2)
    return replace(made, neurons=replace(made.neurons, **{k: np.full(6, v) for k, v in columns.items()}))


# -- numbers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ONES)
def test_whole_numbers_of_every_kind(value: Any) -> None:
    found = whole_number("T", "n", value, at_least=1)
    assert (found, type(found)) == (3, int)
    assert hrsnn.build(NetworkSpec(n_inputs=value, n_neurons=value), seed=value).provenance["seed"] == 3


@pytest.mark.parametrize("value", [1.5, 3.0, "3", None, True, np.True_, np.float64(3), [3, 4], np.arange(2), 1j])
def test_what_is_no_whole_number(value: Any) -> None:
    with pytest.raises(InputError, match="`n` of `T` must be a whole number"):
        whole_number("T", "n", value)


@pytest.mark.parametrize("value", [0.5, np.float16(0.5), np.array(0.5), np.array(0.5, np.float32)])
def test_real_numbers_of_every_kind(value: Any) -> None:
    found = real_number("T", "x", value)
    assert (found, type(found)) == (0.5, float)
    assert hrsnn.Record(tau_filter_ms=value).tau_filter_ms == 0.5
    assert AudioCode(n_channels=np.int64(2), gain=value).gain == 0.5


@pytest.mark.parametrize("value", ["1", b"1", None, True, 1j, np.nan, np.inf, 10**400, [1.0], np.ones(1), np.ma.masked])
def test_what_is_no_real_number(value: Any) -> None:
    with pytest.raises(InputError, match="`x` of `T` must be a finite number"):
        real_number("T", "x", value)


# -- arrays ------------------------------------------------------------------------------------------------------------


def test_tensors_are_arrays() -> None:
    torch = pytest.importorskip("torch")
    times, units = [torch.tensor([1.0, 2.0]), torch.tensor([3.0])], [torch.tensor([0, 1]), torch.tensor([1])]
    spikes = hrsnn.Spikes.from_times(times, units, n_units=torch.tensor(2), n_steps=5, dt_ms=torch.tensor(1.0))
    assert Dataset(spikes, torch.tensor([0, 1]), ("a", "b"), torch.tensor([3, 4])).labels.tolist() == [0, 1]
    assert hrsnn.Spikes.from_dense(torch.ones(1, 2, 3), dt_ms=1.0).n_events == 6
    pooled = pool_events(times, units, units, units, n_steps=5, dt_ms=1.0, sensor=(2, 2), grid=(1, 1))
    assert pooled.unit.tolist() == [0, 1, 1]
    made = network()
    table = replace(made.neurons, tau_mem_ms=torch.full((6,), 20.0))
    assert table.tau_mem_ms.tolist() == [20.0] * 6
    assert NetworkSpec(n_inputs=torch.tensor(4)).n_inputs == 4
    with pytest.raises(InputError, match="cannot be made an array"):
        as_array("T", "x", torch.ones(2, requires_grad=True))
    with pytest.raises(InputError, match="must be float32 or float64, got torch"):
        hrsnn.simulate(made, random_spikes(np.random.default_rng(0), made), dtype=torch.float32)


@pytest.mark.parametrize(
    "take",
    [
        lambda values: hrsnn.Spikes.from_dense(values.reshape(1, 1, 2), dt_ms=1.0),
        lambda values: Dataset(hrsnn.Spikes.empty(2, n_units=1, n_steps=1, dt_ms=1.0), values, ("a", "b")),
        lambda values: Series(values.reshape(2, 1), 1.0, "s", ("x",)),
        lambda values: PopulationCode.fit(values.reshape(2, 1)),
        lambda values: AudioCode(n_channels=2).encode([values], 16000),
        lambda values: replace(network().neurons, bias=values),
        lambda values: hrsnn.Spikes.empty(2, n_units=1, n_steps=1, dt_ms=1.0).select(values),
        lambda values: network().keep_neurons(values > 0),
    ],
)
def test_masked_values_are_never_shown_again(take: Any) -> None:
    with pytest.raises(InputError, match=r"must have no masked values, got 1 of 2; leave them out"):
        take(np.ma.masked_array([0, 1], [False, True]))


# -- narrow types ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["v_th", "v_rest", "v_reset", "v_init", "bias", "tau_mem_ms", "tau_syn_exc_ms"])
@pytest.mark.parametrize("value", [1e300, 2 * LARGEST])
def test_columns_beyond_single_precision(name: str, value: float) -> None:
    with pytest.raises(InputError, match=rf"`{name}` of `NeuronTable` must be <= 1e\+30"):
        network(**{name: value})
    if name != "v_th" and not name.startswith("tau"):
        with pytest.raises(InputError, match=rf"`{name}` of `NeuronTable` must be >= -1e\+30"):
            network(**{name: -value})


@pytest.mark.parametrize("name", ["tau_mem_ms", "tau_syn_exc_ms", "tau_syn_inh_ms"])
def test_time_constants_that_single_precision_takes_for_zero(name: str) -> None:
    with pytest.raises(InputError, match=rf"`{name}` of `NeuronTable` must be >= 1e-30"):
        network(**{name: 1e-320})


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_the_largest_numbers_that_are_taken_stay_numbers(backend: Any) -> None:
    extreme = network(v_rest=-LARGEST, v_init=0.0, v_reset=-LARGEST, bias=LARGEST, v_th=LARGEST, tau_syn_exc_ms=1e-30)
    weights = np.full(len(extreme.inputs), np.float32(LARGEST * 0.999))
    extreme = extreme.with_weights(inputs=weights)
    spikes = random_spikes(np.random.default_rng(0), extreme)
    recording = hrsnn.simulate(extreme, spikes, record=hrsnn.Record(state=True, v=True), backend=backend)
    assert recording.state is not None
    assert recording.v is not None
    assert np.isfinite(recording.v).all()
    assert np.isfinite(recording.state.current_exc).all()


@pytest.mark.parametrize("delay_ms", [3e9, 2.0**31, 1e20])
def test_delays_that_32_bits_do_not_count(delay_ms: float) -> None:
    made = network()
    for name in ("recurrent", "inputs"):
        table = getattr(made, name)
        late = replace(table, delay_ms=np.full(len(table), delay_ms))
        with pytest.raises(InputError, match=rf"`{name}\.delay_ms` of `Network` must be .* less than 2147483648"):
            replace(made, **{name: late})
        with pytest.raises(InputError, match=r"`delay_ms` of `SynapseTable` must be <= 1e\+30"):
            replace(table, delay_ms=np.full(len(table), 3e38))


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_delays_whose_arrivals_do_not_fit(backend: Any) -> None:
    made = network()
    late = replace(made, recurrent=replace(made.recurrent, delay_ms=np.full(len(made.recurrent), 2.0**28)))
    with pytest.raises(InputError, match="`delay_ms` of `Network` must have less than 268435456 steps"):
        hrsnn.simulate(late, hrsnn.Spikes.empty(1, n_units=3, n_steps=2, dt_ms=1.0), backend=backend)


def test_long_delays_in_single_precision_are_multiples_of_a_short_step() -> None:
    made = network()
    delays = np.float32(np.arange(100_000, 100_000 + len(made.recurrent)) * 0.1)  # rounded by up to 0.005 steps
    tables = {"recurrent": replace(made.recurrent, delay_ms=delays)}
    inputs = replace(made.inputs, delay_ms=np.full(len(made.inputs), 0.1))
    assert replace(made, dt_ms=0.1, inputs=inputs, **tables).dt_ms == 0.1


def test_refractory_periods_that_32_bits_do_not_count() -> None:
    for t_ref_ms in (3e9, 2.0**31, 1e29):
        with pytest.raises(InputError, match=r"`neurons\.t_ref_ms` of `Network` must be less than 2147483648 steps"):
            network(t_ref_ms=t_ref_ms)


def test_clusters_that_16_bits_do_not_count() -> None:
    with pytest.raises(InputError, match="n_clusters`: input should be less than or equal to 32768"):
        NetworkSpec(n_inputs=1, synapses={"wiring": "clustered", "n_clusters": 40_000})
    with pytest.raises(InputError, match="`cluster_tau_ratio` of `NetworkSpec` must have a power of 1999"):
        hrsnn.build(
            NetworkSpec(n_inputs=1, n_neurons=2000, synapses={"wiring": "clustered", "n_clusters": 2000}), seed=0
        )


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("v", np.nan, "must be finite"),
        ("filtered", -np.inf, "must be finite"),
        ("current_exc", 1e300, "must be numbers that fit float32|must be <="),
        ("refractory", 2**40, "must be whole numbers that fit int32"),
        ("refractory", -1, "must be >= 0"),
        ("refractory", 0.5, "must be whole numbers"),
        ("v", "a", "must be real numbers"),
    ],
)
def test_states_that_engines_cannot_go_on_from(name: str, value: Any, rule: str) -> None:
    made = network()
    spikes = hrsnn.Spikes.empty(1, n_units=3, n_steps=2, dt_ms=1.0)
    state = hrsnn.simulate(made, spikes, record=hrsnn.Record(state=True), backend="reference").state
    assert state is not None
    wrong = replace(state, **{name: np.full(getattr(state, name).shape, value)})
    with pytest.raises(InputError, match=rf"`state\.{name}` of `simulate` ({rule})"):
        hrsnn.simulate(made, spikes, state=wrong, backend="reference")
    with pytest.raises(InputError, match=rf"`state\.{name}` of `stream` ({rule})"):
        hrsnn.stream(made, state=wrong, backend="reference")


# -- far too large, and of another type --------------------------------------------------------------------------------


SPIKES = hrsnn.Spikes.empty(1, n_units=3, n_steps=2, dt_ms=1.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: stretch(SPIKES, duration_ms=1e300),
        lambda: stretch(SPIKES, duration_ms=1.0, tail_ms=1e300),
        lambda: regrid(hrsnn.Spikes.empty(1, n_units=1, n_steps=9, dt_ms=1.0), dt_ms=1e-9),
        lambda: regrid(SPIKES, dt_ms=5e-324),
        lambda: hrsnn.Spikes.empty(1, n_units=3, n_steps=HUGE, dt_ms=1.0),
        lambda: PopulationCode((0.0,), (1.0,), hold_ms=1e300),
        lambda: AudioCode(n_channels=HUGE),
        lambda: WhiteDrive().values(HUGE, seed=0),
        lambda: Target(n_neurons=-HUGE),
        lambda: hrsnn.Record(filtered_every=HUGE),
        lambda: hrsnn.Constant(HUGE**10),
        lambda: NetworkSpec(n_inputs=HUGE),
        lambda: NetworkSpec(n_inputs=1, dt_ms=HUGE),
        lambda: NetworkSpec(n_inputs=1, excitatory={"v_th": HUGE**10}),
        lambda: NetworkSpec(n_inputs="many"),
        lambda: NetworkSpec(**{"n_inputs": 1, "\ud800": 1}),
        lambda: NetworkSpec.from_dict({"n_inputs": 1, "excitatory": {"\ud800": 1}}),
        lambda: NetworkSpec(n_inputs=1, mood="good"),
        lambda: hrsnn.simulate(network(), SPIKES, n_threads=1.5),
        lambda: hrsnn.simulate(network(), SPIKES, n_threads=HUGE),
        lambda: hrsnn.simulate(network(), SPIKES, dtype="zz"),
        lambda: hrsnn.simulate(network(), SPIKES, dtype=np.float16),
        lambda: hrsnn.simulate(network(), "spikes"),
        lambda: hrsnn.simulate(network(), SPIKES, record="all"),
        lambda: hrsnn.simulate(network(), SPIKES, state="begin"),
        lambda: hrsnn.engine.simulate_stdp(network(), SPIKES, batch_size=1.5),
        lambda: hrsnn.learn(network(), SPIKES, seed=1.5),
        lambda: hrsnn.build(NetworkSpec(n_inputs=1), seed="a"),
        lambda: hrsnn.build("spec", seed=0),
        lambda: hrsnn.build(NetworkSpec(n_inputs=3, plasticity={"a_minus": 1e308}), seed=0),
        lambda: hrsnn.save(5, "n.safetensors"),
        lambda: hrsnn.load(5),
        lambda: hrsnn.load("a\0b"),
        lambda: hrsnn.load("a" * 20_000),
        lambda: hrsnn.load("\ud800"),
        lambda: load_task(TaskSpec(path="~nobody-of-this-name/x.csv")),
        lambda: hrsnn.learn("network", SPIKES),
        lambda: hrsnn.learn(network(), [[1, 2]]),
        lambda: hrsnn.calibrate(network(), SPIKES, target_hz="fast"),
        lambda: hrsnn.predict(network(), None, SPIKES),
        lambda: hrsnn.evaluate(network(), SPIKES),
        lambda: hrsnn.recommended("task"),
        lambda: hrsnn.Spikes.join([SPIKES, 3]),
        lambda: hrsnn.simulate(network(), SPIKES, backend=np.zeros(2)),
        lambda: Dataset("spikes", [0], ("a",)),
        lambda: Dataset(SPIKES, [0], 5),
        lambda: ValueCode.fit([["a", "b"]]),
        lambda: PopulationCode((0.0,), (1.0,), hold_ms=1e8).encode(np.zeros((1, 50, 1))),
        lambda: AudioCode().encode([np.ones(9)], 1.0),
        lambda: lorenz63(n_steps=2**62),
        lambda: Series([[1.0]], 1.0, "s", (5,)),
        lambda: hrsnn.Constant(1.0).sample(np.random.default_rng(0), -1),
    ],
)
def test_one_sentence(call: Any) -> None:
    with pytest.raises(InputError) as error:
        call()
    assert len(str(error.value)) < 600


def test_sentences_fit_on_a_screen() -> None:
    assert len(str(FileError("word " * 5000))) < 1300
    with pytest.raises(InputError, match="must be a finite number, got a list that cannot be shown"):
        real_number("T", "x", deep())


def deep() -> list[Any]:
    inner: list[Any] = []
    for _ in range(5000):
        inner = [inner]
    return inner


@pytest.mark.parametrize(
    ("values", "rule"),
    [(np.ones(200), "must vary"), (np.sin(np.arange(200)) * 1e200, "at most 1e+100"),
     (np.sin(np.arange(200)) * 1e-320, "vary by more than")],
)  # fmt: skip
@pytest.mark.parametrize("transform", ["none", "standardise", "auto"])
def test_series_of_which_there_is_nothing_to_forecast(values: Any, rule: str, transform: Any) -> None:
    spec = ForecastSpec(n_train=100, n_horizon=5, transform=transform)
    with pytest.raises(InputError, match=re.escape(rule)):
        ForecastTask.of(Series(values[:, None], 1.0, "s", ("x",)), spec)


def test_more_bins_than_steps_are_told_by_their_key() -> None:
    with pytest.raises(InputError, match="`n_bins` of `readout` must be"):
        hrsnn.evaluate(random_network(np.random.default_rng(0), n_inputs=8), splits(), ReadoutSpec(n_bins=[61]))


def test_lines_of_a_closed_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert cli.main(["predict", "run", "-"]) == 2
    assert "must be open" in capsys.readouterr().err


def test_long_values_are_shortened(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    long = "A" * 5000
    for tables in ({"n_inputs": 1, "n_neurons": long}, {"n_inputs": 1, long: 1}):
        with pytest.raises(InputError) as error:
            NetworkSpec.from_dict(tables)
        assert len(str(error.value)) < 1000
    with pytest.raises(InputError) as error:
        real_number("T", "x", long)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("error", [MemoryError("Unable to allocate 27.3 TiB"), OverflowError("int too large")])
def test_what_python_cannot_hold_is_bad_input(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(error) == USAGE
    assert "internal error" not in capsys.readouterr().err


# -- files with a right digest -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"layer0.weight": np.full((4, 2), np.nan)}, r"`layer0\.weight` of `Readout` must be finite"),
        ({"layer0.offset": np.array([0.0, np.nan])}, r"`layer0\.offset` of `Readout` must be finite"),
        ({"layer0.offset": np.array([0.0, np.inf])}, r"`layer0\.offset` of `Readout` must be finite"),
        ({"layer0.offset": np.full(2, -np.inf)}, "must have a finite offset"),
        ({"layer0.offset": np.zeros((2, 1))}, "must have 1 dimensions"),
        ({"scale": np.zeros(4)}, "`scale` of `Readout` must be > 0"),
        ({"scale": -np.ones(4)}, "`scale` of `Readout` must be > 0"),
        ({"mean": np.full(4, np.inf)}, "`mean` of `Readout` must be finite"),
        ({"n_bins": 1.0}, "`n_bins` of `Readout` must be a whole number"),
        ({"n_bins": True}, "`n_bins` of `Readout` must be a whole number"),
        ({"tau_filter_ms": 0.0}, "`tau_filter_ms` of `Readout` must be > 0"),
        ({"tau_filter_ms": "30"}, "`tau_filter_ms` of `Readout` must be > 0"),
        ({"last_ms": None}, "`last_ms` of `Readout` must be >= 0"),
        ({"features": 5}, "must be known"),
        ({"n_layers": 1.0}, "must be a whole number"),
    ],
)
def test_readout_files(change: dict[str, Any], rule: str, tmp_path: Any) -> None:
    path = tmp_path / "r.safetensors"
    layer = (np.ones((4, 2)), np.array([0.0, -np.inf]))  # a class that training never saw
    Readout(np.arange(4), "counts", 1, "none", 30.0, np.zeros(4), np.ones(4), (layer,)).save(path)
    assert Readout.load(path).classes(np.ones((1, 1, 4))).tolist() == [0]
    columns, facts = load_tensors(path, "hrsnn.readout/2")
    if isinstance(next(iter(change.values())), np.ndarray):
        columns |= change
    else:
        facts |= change
    save_tensors(path, columns, facts)
    with pytest.raises(FileError, match=rule):
        Readout.load(path)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"dt_ms": True}, "`dt_ms` of `Network` must be > 0"),
        ({"dt_ms": "1"}, "`dt_ms` of `Network` must be > 0"),
        ({"dt_ms": 1e300}, "`dt_ms` of `Network` must lie in"),
        ({"provenance": {"history": 5}}, r"`provenance\.history` of `Network` must be a list of sentences"),
        ({"provenance": {"history": [5]}}, r"`provenance\.history` of `Network` must be a list of sentences"),
        ({"provenance": 5}, "`provenance` of `Network` must be a table"),
        ({"rule": {"pairing": "all-to-all", "soft_bound": "0", "normalise": True}}, "`soft_bound` of `StdpRule`"),
        ({"rule": {"pairing": "all-to-all", "soft_bound": 0, "normalise": 5}}, "`normalise` of `StdpRule`"),
        ({"rule": {"pairing": ["all-to-all"], "soft_bound": 0, "normalise": True}}, "`pairing` of `StdpRule`"),
        ({"synapse": 5}, "`synapse` of `Network`"),
        ({"synapse": ["exp"]}, "`synapse` of `Network`"),
    ],
)
def test_network_files(change: dict[str, Any], rule: str, tmp_path: Any) -> None:
    path = tmp_path / "n.safetensors"
    hrsnn.save(network(), path)
    columns, facts = load_tensors(path, "hrsnn.network/1")
    save_tensors(path, columns, {**facts, **change})
    with pytest.raises(FileError, match=rule):
        hrsnn.load(path)


# -- how values show themselves, and what is warned of -----------------------------------------------------------------


def test_values_show_one_line_and_a_small_table() -> None:
    made = network()
    spikes = random_spikes(np.random.default_rng(0), made)
    recording = hrsnn.simulate(made, spikes, record=hrsnn.Record(state=True, v=2), backend="reference")
    data = Dataset(spikes, np.zeros(spikes.n_samples, int), ("<b>",))
    for value in (made, made.neurons, made.recurrent, spikes, recording, recording.state, data):
        line, page = repr(value), value._repr_html_()  # type: ignore[union-attr]
        assert "\n" not in line
        assert len(line) < 250
        assert line.startswith(f"{type(value).__name__}(")
        assert page.startswith("<table>")
        assert len(page) < 1000


# -- code that cannot be kept ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_nothing_needs_a_directory_for_compiled_code() -> None:
    code = (
        "import numpy as np, hrsnn, hrsnn.graph\n"
        "from hrsnn.pruning.rounding import rounded\n"
        "net = hrsnn.build(hrsnn.NetworkSpec(n_neurons=30, n_inputs=2), seed=0)\n"
        "print(hrsnn.graph.betweenness(net).shape, hrsnn.evaluate.__name__)\n"
        "ends = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])\n"
        "kept = rounded(np.full(4, 0.5), *ends, rng=np.random.default_rng(0))\n"
        "print(int(kept.sum()))"
    )
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    environment |= {"NUMBA_CACHE_LOCATOR_CLASSES": "IPythonCacheLocator", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["(30,)", "evaluate", "2"]), done.stderr
    assert done.stderr.count("numba's cache cannot be used") == 1
