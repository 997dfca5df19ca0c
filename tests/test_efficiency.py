"""Efficiencies by hand, and what has none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrsnn._checks import InputError
from hrsnn.analysis.efficiency import classification_efficiency, prediction_efficiency, spike_efficiency, z_scores
from networks import examples


def test_by_hand() -> None:
    assert spike_efficiency(3.0, 0.25) == 12.0
    assert classification_efficiency(0.8, 16.0) == 0.05
    assert prediction_efficiency(0.5, 4.0) == 0.5


def test_a_silent_network_has_no_efficiency() -> None:
    assert spike_efficiency(0.0, 0.0) is None
    assert classification_efficiency(0.05, 0.0) is None
    assert prediction_efficiency(0.3, 0.0) is prediction_efficiency(0.0, 3.0) is None


@examples(50)
@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=20, unique=True))
def test_z_scores_have_mean_0_and_sample_sd_1(spikes: list[int]) -> None:
    """Acceptance check 15."""
    z = z_scores(spikes)
    assert z.std(ddof=1) == pytest.approx(1, abs=1e-9)
    assert z.mean() == pytest.approx(0, abs=1e-6)
    assert (np.argsort(z) == np.argsort(spikes)).all()


def test_z_scores_need_methods_that_differ() -> None:
    with pytest.raises(InputError, match="at least two methods"):
        z_scores([3.0])
    with pytest.raises(InputError, match="must differ between methods"):
        z_scores([0.1, 0.1, 0.1])
    with pytest.raises(InputError, match="must differ between methods"):
        z_scores([0.0, 5e-324])
    with pytest.raises(InputError, match="must be finite"):
        z_scores([3.0, np.nan])


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_values_out_of_range_are_refused(value: float) -> None:
    for function in (spike_efficiency, prediction_efficiency):
        for given_values in ((value, 1.0), (1.0, value)):
            with pytest.raises(InputError, match="must be a finite number >= 0"):
                function(*given_values)
    with pytest.raises(InputError, match=r"must lie in \[0, 1\]"):
        classification_efficiency(1.01, 1.0)
    with pytest.raises(InputError, match="`spikes_per_neuron`"):
        classification_efficiency(0.5, value)
