"""The white drive: the stated rate, no memory, and the same spikes in pieces."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn._checks import InputError
from hrsnn.analysis import drive as module
from hrsnn.analysis.drive import WhiteDrive, mean_rate_hz


@pytest.mark.parametrize("regular", [False, True])
@pytest.mark.parametrize(("n_inputs", "dt_ms"), [(2, 1.0), (13, 0.5), (50, 1.0), (200, 1.0)])
def test_the_mean_rate_is_the_one_asked_for(n_inputs: int, dt_ms: float, regular: bool) -> None:
    drive = WhiteDrive(regular=regular)
    x = drive.values(4000, seed=1)
    spikes = drive.spikes(x, n_inputs=n_inputs, dt_ms=dt_ms, seed=1)
    n_expected = 10 * 80 * n_inputs
    # Poisson spikes scatter by the root of their number, and both by that of the values drawn.
    assert spikes.n_events == pytest.approx(n_expected, rel=3 / np.sqrt(n_expected) + 0.01)


@pytest.mark.parametrize("regular", [False, True])
@pytest.mark.parametrize("n_inputs", [2, 10, 200, 700])
def test_mean_rate_is_that_of_a_fine_grid_of_values(n_inputs: int, regular: bool) -> None:
    code = WhiteDrive(regular=regular).code(n_inputs, 1.0)
    rates = code.rates_hz(((np.arange(4000) + 0.5) / 2000 - 1)[:, None])
    expected = rates.mean() if regular else -1000 * np.expm1(-rates / 1000).mean()
    assert mean_rate_hz(code, regular=regular) == pytest.approx(expected, rel=1e-6)


def test_many_channels_spike_in_every_step_at_most() -> None:
    code = WhiteDrive().code(700, 1.0)
    assert code.f_max_hz == pytest.approx(1000)
    assert mean_rate_hz(code) == pytest.approx(3.895, abs=0.001)
    assert mean_rate_hz(WhiteDrive().code(250, 1.0)) == pytest.approx(10)


@pytest.mark.parametrize("regular", [False, True])
def test_pieces_are_the_whole(monkeypatch: pytest.MonkeyPatch, regular: bool) -> None:
    drive = WhiteDrive(regular=regular)
    x = drive.values(50, seed=3)
    code = drive.code(9, 1.0)
    whole = drive.spikes(x, n_inputs=9, dt_ms=1.0, seed=3)
    monkeypatch.setattr(module, "_VALUES_AT_A_TIME", 7)
    pieces = list(drive.pieces(x, code, seed=3))
    assert len(pieces) == 8
    assert drive.spikes(x, n_inputs=9, dt_ms=1.0, seed=3) == whole
    direct, _ = code.encode(x[None, :, None], None if regular else module.stream(3, "white-drive.spikes"))
    assert direct == whole


def test_values_are_white_and_uniform_and_a_longer_drive_goes_on() -> None:
    drive = WhiteDrive()
    x = drive.values(20_000, seed=0)
    assert np.array_equal(drive.values(100, seed=0), x[:100])
    assert not np.array_equal(drive.values(100, seed=1), x[:100])
    assert abs(x.mean()) < 0.02
    assert x.var() == pytest.approx(1 / 3, rel=0.03)
    assert (np.abs(x) <= 1).all()
    assert abs(np.corrcoef(x[1:], x[:-1])[0, 1]) < 0.03


def test_bad_drives_are_refused() -> None:
    with pytest.raises(InputError, match="`n_inputs` of `WhiteDrive` must be >= 2, got 1"):
        WhiteDrive().code(1, 1.0)
    with pytest.raises(InputError, match="must be a whole number >= 1 of steps of 3 ms"):
        WhiteDrive().code(10, 3.0)
    for name in ("sample_ms", "mean_rate_hz"):
        for value in (0.0, -1.0, np.nan):
            with pytest.raises(InputError, match=f"`{name}` of `WhiteDrive` must be > 0"):
                WhiteDrive(**{name: value})
    with pytest.raises(InputError, match="`n_samples`"):
        WhiteDrive().values(0, seed=0)
