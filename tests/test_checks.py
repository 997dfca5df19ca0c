"""Argument checks: what passes, what is told about what does not, and that nothing is shared with the caller."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hrsnn._checks import (
    FileError,
    HrsnnError,
    InputError,
    MissingExtraError,
    RunError,
    check_all,
    check_column,
    did_you_mean,
    require,
)


def test_every_error_has_one_base_and_bad_input_is_a_value_error() -> None:
    for error in (InputError, FileError, RunError, MissingExtraError):
        assert issubclass(error, HrsnnError)
    assert issubclass(InputError, ValueError)
    assert issubclass(FileError, InputError)


def test_message_names_owner_rule_value_place_and_remedy() -> None:
    with pytest.raises(InputError) as caught:
        require(False, "Owner", "name", "must be > 0", -3.0, place="at index 17", remedy="leave it out")
    assert str(caught.value) == "`name` of `Owner` must be > 0, got -3.0 at index 17; leave it out"


def test_message_stays_short_for_a_long_value() -> None:
    for value in ("x" * 1000, np.arange(10_000)):
        with pytest.raises(InputError) as caught:
            require(False, "Owner", "name", "must be small", value)
        assert len(str(caught.value)) < 300


def test_column_is_read_only_of_the_dtype_and_not_shared() -> None:
    mine = np.array([1.0, 2.0])
    column = check_column("Owner", "name", mine, dtype=np.float64)
    mine[0] = 9.0
    assert column.tolist() == [1.0, 2.0]
    assert column.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        column[0] = 1.0


def test_column_does_not_follow_a_read_only_view_of_writable_memory() -> None:
    mine = np.array([1.0, 2.0])
    view = mine[:]
    view.flags.writeable = False
    column = check_column("Owner", "name", view, dtype=np.float64)
    mine[0] = 9.0
    assert column.tolist() == [1.0, 2.0]


def test_read_only_column_is_taken_as_it_is() -> None:
    column = check_column("Owner", "name", [1.0, 2.0], dtype=np.float64)
    assert check_column("Owner", "name", column, dtype=np.float64) is column


@pytest.mark.filterwarnings("error")  # no warning of NumPy beside the error
@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([1.0, np.nan], {}, "`x` of `T` must be finite, got nan at index 1 (1 of 2 values)"),
        ([1.0, -np.inf], {}, "`x` of `T` must be finite, got -inf at index 1 (1 of 2 values)"),
        ([1e39], {"dtype": np.float32}, "`x` of `T` must be numbers that fit float32, got 1e+39"),
        ([[1.0]], {}, "`x` of `T` must have one dimension, got shape (1, 1)"),
        ([[1.0], [1.0, 2.0]], {}, "`x` of `T` cannot be made an array: setting an array element"),
        ([1.0, 2.0], {"length": 3}, "`x` of `T` must have length 3, got length 2"),
        (["a"], {}, "`x` of `T` must be real numbers, got dtype <U1"),
        ([1j], {}, "`x` of `T` must be real numbers, got dtype complex128"),
        ([0.5, 1.0], {"dtype": np.int32}, "must be whole numbers that fit int32, got 0.5 at index 0 (1 of 2 values)"),
        ([2**31], {"dtype": np.int32}, "must be whole numbers that fit int32, got 2147483648"),
        ([1e300], {"dtype": np.int64}, "must be whole numbers that fit int64, got 1e+300"),
        ([3.0, -3.0, 0.0], {"above": 0}, "must be > 0, got -3.0 at index 1 (2 of 3 values)"),
        ([-1.0], {"at_least": 0}, "must be >= 0, got -1.0"),
        ([4], {"at_most": 3}, "must be <= 3, got 4"),
        ([1e-60], {"dtype": np.float32, "above": 0}, "must be > 0, got 1e-60"),  # it would be stored as 0
    ],
)
def test_column_names_the_first_offender(values: object, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        check_column("T", "x", values, **{"dtype": np.float64, **options})  # type: ignore[arg-type]


def test_check_all_passes_when_all_hold() -> None:
    check_all("T", "x", "must be", np.arange(3), np.ones(3, dtype=bool))


def test_did_you_mean_falls_back_to_the_list() -> None:
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"
