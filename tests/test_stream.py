"""stream: the spikes and the state of `simulate`, step by step, in memory that does not grow."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrsnn._checks import InputError
from hrsnn.engine import Record, Recording, State, Stream, simulate, stream
from hrsnn.network import Network
from hrsnn.spikes import Spikes
from networks import DTYPES, assert_same_fields, examples, networks_with_spikes, random_network, random_spikes

BACKENDS: list[Any] = ["cpu", "reference"]


def channels_of(spikes: Spikes, sample: int) -> list[Any]:
    """The channels that spike, step by step."""
    raster = spikes.dense()[sample]
    return [np.flatnonzero(now) for now in raster]


def raster_of(live: Stream, channels: list[Any], n: int) -> Any:
    """Feed a stream; (n_steps, n) what spikes."""
    raster = np.zeros((len(channels), n), np.uint8)
    for row, now in zip(raster, channels, strict=True):
        fired = live.step(now)
        assert fired.dtype == np.int32
        assert (np.diff(fired) > 0).all()
        row[fired] = 1
    return raster


def batch(network: Network, spikes: Spikes, dtype: type, state: State | None = None, **options: Any) -> Recording:
    record = Record(spikes=True, state=True, tau_filter_ms=9.0)
    return simulate(network, spikes, record=record, dtype=dtype, state=state, **options)


def row_of(state: State | None, sample: int) -> State:
    assert state is not None
    return State(**{name: column[sample : sample + 1] for name, column in state.columns().items()})


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("synapse", ["exp", "delta"])
@pytest.mark.parametrize("longest_delay", [1, 6])
@examples(25)
@given(data=st.data())
def test_a_stream_is_a_sample(dtype: type, synapse: str, longest_delay: int, data: st.DataObject) -> None:
    network, spikes = data.draw(networks_with_spikes(synapse=synapse, longest_delay=longest_delay))
    whole = batch(network, spikes, dtype, backend="cpu")
    onward = batch(network, spikes, dtype, whole.state, backend="cpu")
    for backend in BACKENDS:
        live = stream(network, dtype=dtype, backend=backend, tau_filter_ms=9.0)
        for sample in range(spikes.n_samples):
            channels = channels_of(spikes, sample)
            for recording in (whole, onward):  # the second half goes on from the first
                assert recording.spikes is not None
                raster = raster_of(live, channels, network.n_neurons)
                np.testing.assert_array_equal(raster, recording.spikes.dense()[sample])
                assert_same_fields(live.state, row_of(recording.state, sample))
            assert live.filtered.tobytes() == live.state.filtered.tobytes()
            live.reset()
            assert live.n_steps == 0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("synapse", ["exp", "delta"])
def test_batch_and_stream_go_on_from_each_other(backend: Any, synapse: str) -> None:
    rng = np.random.default_rng(0)
    network = random_network(rng, n=20, synapse=synapse, longest_delay=6)
    spikes = random_spikes(rng, network, n_samples=1, n_steps=60)
    whole = batch(network, spikes, np.float32, backend=backend)
    assert whole.spikes is not None
    truth, channels = whole.spikes.dense()[0], channels_of(spikes, 0)
    assert truth[:20].any()
    options: dict[str, Any] = {"backend": backend, "tau_filter_ms": 9.0}
    parts = [Spikes.from_dense(spikes.dense()[:, steps], dt_ms=1.0) for steps in (slice(0, 20), slice(20, 40))]

    first = batch(network, parts[0], np.float32, backend=backend)
    live = stream(network, state=first.state, **options)
    np.testing.assert_array_equal(raster_of(live, channels[20:], 20), truth[20:])
    assert_same_fields(live.state, whole.state)
    live.reset()  # to where it started
    assert_same_fields(live.state, first.state)
    np.testing.assert_array_equal(raster_of(live, channels[20:], 20), truth[20:])

    live = stream(network, **options)
    np.testing.assert_array_equal(raster_of(live, channels[:20], 20), truth[:20])
    middle = batch(network, parts[1], np.float32, live.state, backend=backend)
    assert middle.spikes is not None
    np.testing.assert_array_equal(middle.spikes.dense()[0], truth[20:40])
    live = stream(network, state=middle.state, **options)
    np.testing.assert_array_equal(raster_of(live, channels[40:], 20), truth[40:])


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_a_stream_gives_is_no_part_of_it(backend: Any) -> None:
    rng = np.random.default_rng(1)
    network = random_network(rng, n=12, longest_delay=6)
    channels = channels_of(random_spikes(rng, network, n_samples=1), 0)
    start = stream(network, backend=backend).state
    streams = [stream(network, backend=backend, state=start) for _ in range(2)]
    for column in start.columns().values():  # given at the start, and copied there
        column[...] = 3
    for now in channels:
        fired = [live.step(now) for live in streams]
        np.testing.assert_array_equal(*fired)
        fired[0][...] = 0
        streams[0].filtered[...] = 7
        for column in streams[0].state.columns().values():
            column[...] = 5
    assert_same_fields(*(live.state for live in streams))


@pytest.mark.parametrize("backend", BACKENDS)
def test_channels_in_any_form(backend: Any) -> None:
    network = random_network(np.random.default_rng(2), n=12, n_inputs=8, density=1.0)
    forms: list[Any] = [
        [5, 2, 7], (7, 5, 2), [2, 2, 5, 7, 7], [7, 2, 5] * 10, np.array([2, 5, 7], np.uint8),
        np.array([7, 5, 2], np.int16), np.array([2, 5, 7], np.uint64), np.array([2, 0, 5, 0, 7, 0])[::2],
        np.array([2.0, 5.0, 7.0]), np.flatnonzero([0, 0, 1, 0, 0, 1, 0, 1]),
    ]  # fmt: skip
    states = []
    for form in forms:
        live = stream(network, backend=backend)
        for given_now in (form, [], form, (), np.zeros(0)):
            live.step(given_now)
        states.append(live.state)
    for state in states[1:]:
        assert_same_fields(states[0], state)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("channels", "sentence"),
    [
        ([3, 8, 1], r"`channels` of `Stream\.step` must be <= 7, got 8 at index 1 \(1 of 3 values\)"),
        ([-1], r"must be >= 0, got -1 at index 0"),
        (np.array([2**63 + 1], np.uint64), "must be whole numbers that fit int64"),
        ([0.5], r"must be whole numbers that fit int64, got 0\.5"),
        (["a"], "must be real numbers"),
        (3, "must have one dimension"),
        ([[1, 2]], "must have one dimension"),
        (np.zeros(8, bool), r"must be indices of channels, got a mask; np\.flatnonzero makes them of a mask"),
    ],
)
def test_channels_that_are_none(backend: Any, channels: Any, sentence: str) -> None:
    network = random_network(np.random.default_rng(3), n=12, n_inputs=8)
    live = stream(network, backend=backend)
    live.step([1])
    before = live.state
    with pytest.raises(InputError, match=sentence):
        live.step(channels)
    assert live.n_steps == 1
    assert_same_fields(live.state, before)


def test_options_that_do_not_fit() -> None:
    network = random_network(np.random.default_rng(4), n=12)
    two = simulate(network, random_spikes(np.random.default_rng(5), network), record=Record(state=True)).state
    with pytest.raises(InputError, match=r"`state\.v` of `stream` must have shape \(1, 12\)"):
        stream(network, state=two)
    with pytest.raises(InputError, match="`dtype` of `stream`"):
        stream(network, dtype=np.float16)
    with pytest.raises(InputError, match="`tau_filter_ms` of `stream` must be > 0"):
        stream(network, tau_filter_ms=0.0)
    with pytest.raises(InputError, match="`backend` of `stream` must not be torch"):
        stream(network, backend="torch")
    with pytest.raises(InputError, match="`backend` of `stream` must be auto, cpu, reference or torch"):
        stream(network, backend="gpu")  # type: ignore[arg-type]


def test_memory_stays_the_same() -> None:
    """After 20,000 steps no more is allocated than after a few: the step counter and the like, less than a kilobyte."""
    rng = np.random.default_rng(6)
    network = random_network(rng, n=64, n_inputs=8, longest_delay=6)
    channels = channels_of(random_spikes(rng, network, n_samples=1, n_steps=100), 0)
    live = stream(network, backend="cpu")
    n_fired = sum(live.step(now).size for now in channels)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(200):
            for now in channels:
                n_fired += live.step(now).size
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert live.n_steps == 20_100
    assert n_fired > 20_000
    assert grown < 1024
