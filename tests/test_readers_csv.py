"""The reader of CSV series: delimiters, decimals, names, dates, encodings, and rows that are not what they seem."""

from __future__ import annotations

import csv
import warnings
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hrsnn._checks import FileError, InputError
from hrsnn.data.dataset import Series
from hrsnn.data.own import csv_series
from hrsnn.forecast import ForecastSpec, ForecastTask
from hrsnn.tasks import TaskSpec, load_task


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """Write a file and read it; a warning is an error unless it is asked for."""

    def of(content: str | bytes, *args: Any, **options: Any) -> Series:
        path = tmp_path / "s.CSV"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return csv_series(path, *args, **options)

    return of


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(
        st.lists(st.floats(-1e6, 1e6).map(lambda v: round(v, 4)), min_size=2, max_size=2), min_size=1, max_size=9
    ),
    delimiter=st.sampled_from(",;\t|"),
    comma=st.booleans(),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_was_written_is_read_or_refused(
    tmp_path: Path, values: list[list[float]], delimiter: str, comma: bool, line_end: str, encoding: str
) -> None:
    path = tmp_path / "s.csv"
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=line_end)
        writer.writerow(["x", "y"])
        writer.writerows([f"{v:.4f}".replace(".", "," if comma else ".") for v in row] for row in values)
    if comma and delimiter == ",":  # quoted by the writer; may be thousands
        with pytest.raises(InputError, match=r'line 2.*say decimal=","'):
            csv_series(path)
    assert csv_series(path, decimal="," if comma else None).values.tolist() == values
    assert comma == (delimiter == ",") or csv_series(path).values.tolist() == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("level\n1,25\n1,75\n2,50\n", [[1.25], [1.75], [2.5]]),
        ("level\n0,125\n1,175\n", [[0.125], [1.175]]),
        ("a;b\n1,258;1\n2,500;2\n", None),
        ("a;b\n1,258;1,000\n2,500;2,125\n", [[1.258, 1.0], [2.5, 2.125]]),
        ("a;b\n1,5;1.5\n", None),
        ("price\n1,258\n998\n", None),
        ("price\n1,258\n1,260\n", None),
        ("price\n1,258.3\n1,260\n998\n", [[1258.3], [1260], [998]]),
        ("price\n1,258.3\n13,6\n", None),
        ('a,b\n"7,380,500","1,258"\n"8,000","3"\n', [[7380500, 1258], [8000, 3]]),
        ("a;b\n1.258,5;1.000\n2.000;2,5\n", [[1258.5, 1000], [2000, 2.5]]),
        ("a;b\n1.258,5;1\n2,000.5;2,5\n", None),
        ("a,b\n1,2,3\n4,5,6\n", None),
        ("a,b\n1,2\n4,5,6\n", None),
        ("a,b\n1,2,\n4,5,,\n", [[1, 2], [4, 5]]),
        ("a,b,\n1,2,\n4,5,\n", [[1, 2], [4, 5]]),
        ("a,b,\n1,2,3\n4,5,\n", None),
        ("a,a\n1,2\n", None),
        ("a,,c\n1,2,3\n2,7,3\n", None),
        (",a\n0,1.5\n1,2.5\n2,3.5\n", [[1.5], [2.5], [3.5]]),
        (",a\n5,1.5\n7,2.5\n", None),
        ("a\n1_000\n", None),
        ("\n\na\n1\n\n \n", [[1]]),
        ("a,b\n1,2\n,\n3,4\n", None),
        ("a,b\n1,2\n\n3,4\n", None),
        ("a,b\n1,2\n,,\n,\n", [[1, 2]]),
        ("sep=;\na;b\n1;2\n", [[1, 2]]),
        ("# made by a logger\n#\na;b\n1;2\n", [[1, 2]]),
        ("# a b\n# x,y\n1,2\n3,4\n", [[1, 2], [3, 4]]),
        ("a\n1\n2\n# end\n", None),
        ('"a, m/s";b\n1;2\n3;4\n', [[1, 2], [3, 4]]),
    ],
)
def test_read_rightly_or_refused_by_line(read: Any, text: str, values: list[list[float]] | None) -> None:
    if values is None:
        with pytest.raises(InputError, match=r"s\.CSV: .*(line \d|two columns|no name)"):
            read(text)
    else:
        assert read(text).values.tolist() == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3\n", r"column \"b\" .* got '' in row 2 \(line 3\); a value is missing: fill it in"),
        ("a,b\n1,2\nNaN,4\n", r"column \"a\" .* got 'NaN' in row 2 \(line 3\); a value is missing"),
        ("a,b\n1,2\n\n3,4\n", r"line 3 is empty between values"),
        ("a,b\n1,2\nx,4\n", r"got 'x' .*; name the columns to forecast: task.forecast.variables"),
        ("a,b\n1,2,5\n", r"line 2 has 3 cells, the first row has 2; is the delimiter ','"),
        ("# c\n# c\na,b\n1,2\n1,?\n", r"line 5"),
        ("a\n" + "x" * 500 + "\n", r"got 'x{60,76}\.\.\. in row 1"),
        ("a,a\n1,2\n", r"the name 'a' stands above two columns"),
        ("price\n1,258\n998\n", r"'1,258' in line 2 may have a decimal comma or one of thousands"),
    ],
)
def test_what_is_refused_says_where_and_what_to_do(read: Any, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as told:
        read(text)
    assert len(str(told.value)) < 500


def test_only_chosen_columns_are_read(read: Any) -> None:
    text = "date,level,level2,note,x,x\nlong ago,1,2,?,1,1\n,3,4,,a,b\n"
    assert read(text, ["level2", "level"]).values.tolist() == [[2, 1], [4, 3]]
    assert read(text, "level").values.tolist() == [[1], [3]]
    with pytest.raises(InputError, match="above two columns"):
        read(text, ["x"])


def test_decimals_and_thousands_that_are_given(read: Any) -> None:
    german = "a;b\n1.258,5;1\n2.000;2,5\n"
    assert read(german, decimal=",", thousands=".").values.tolist() == [[1258.5, 1], [2000, 2.5]]
    assert read('a\n"1,258,300.5"\n"-7"\n', thousands=",").values.tolist() == [[1258300.5], [-7]]
    for cell in ("13,6", "1,2583", ",125", "1,,258", "12,58,300"):
        with pytest.raises(InputError, match="must hold numbers"):
            read(f'a,b\n"{cell}",1\n', thousands=",")
    with pytest.raises(InputError, match=r"1\.5"):
        read("a;b\n1.5;2\n", decimal=",")
    for option in ({"decimal": ";"}, {"delimiter": ";;"}, {"thousands": "."}):
        with pytest.raises(InputError, match=f"`{next(iter(option))}`"):
            read("a;b\n1;2\n", **option)


# -- dates -----------------------------------------------------------------------------------------------------------

FORMS = [
    "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S+01:00", "%d.%m.%Y", "%d.%m.%Y %H:%M",
    "%d/%m/%Y", "%m/%d/%Y", "%d %m %Y %H:%M", "%b %d, %Y", "%Y%m%d", "%d-%b-%y", "%m/%d/%Y %I:%M %p",
]  # fmt: skip


def dated(times: list[datetime], form: str) -> str:
    rows = [f'"{time.strftime(form)}",{k}.5\n' for k, time in enumerate(times)]
    return "date,level\n" + "".join(rows)


@pytest.mark.parametrize("form", FORMS)
def test_a_column_of_dates_is_recognised_and_skipped(read: Any, form: str) -> None:
    days = [datetime(2021, 1, 5) + timedelta(days=k) for k in range(40)]
    series = read(dated(days, form))
    assert series.variable_names == ("level",)
    assert series.values[:, 0].tolist() == [k + 0.5 for k in range(40)]


def test_months_years_and_clocks_are_dates_at_equal_distances(read: Any) -> None:
    months = [datetime(2000 + k // 12, k % 12 + 1, 1) for k in range(30)]
    for times, form in (
        (months, "%Y-%m"),
        (months, "%Y-%m-%d"),
        ([month - timedelta(days=1) for month in months], "%Y-%m-%d"),
        ([datetime(1990 + k, 7, 2) for k in range(9)], "%d.%m.%Y"),
    ):
        assert read(dated(times, form)).variable_names == ("level",)
    hours = [datetime(2004, 3, 10, 18) + timedelta(hours=k) for k in range(50)]
    rows = [f"{time:%d/%m/%Y;%H.%M.%S};{k},5;\n" for k, time in enumerate(hours)]
    series = read("Date;Time;CO;\n" + "".join(rows))
    assert (series.variable_names, series.values[1, 0]) == (("CO",), 1.5)


def test_unequal_distances_are_warned_of(read: Any) -> None:
    days = [datetime(2021, 1, 5) + timedelta(days=k + (k >= 4)) for k in range(9)]
    with pytest.raises(UserWarning, match=r"1 day, 0:00:00 in most rows, 2 days, 0:00:00 before line 6 \(1 of 8"):
        read(dated(days, "%Y-%m-%d"))
    assert read(dated(days, "%Y-%m-%d"), ["level"]).n_steps == 9


def test_time_that_runs_backwards_is_told(read: Any) -> None:
    days = [datetime(2021, 1, 5) + timedelta(days=k) for k in range(9)]
    with pytest.raises(InputError, match="the newest row comes first; sort the rows"):
        read(dated(days[::-1], "%d/%m/%Y"))
    with pytest.raises(UserWarning, match="the series runs backwards in time"):
        read(dated(days[::-1], "%d.%m.%Y"), ["level"])
    for wrong in (days[:5] + days[:5], [*days[:5], days[4]]):
        with pytest.raises(InputError, match=r"the date in line 7 is not after that of the row before"):
            read(dated(wrong, "%Y-%m-%d"))


def test_numbers_are_no_dates(read: Any) -> None:
    assert read("year,x\n1999,20210105\n2000,3\n").variable_names == ("year", "x")
    with pytest.raises(InputError, match='column "date" must hold numbers'):
        read("date,x\n2021-01-05,1\n2021-02-30,2\n")
    with pytest.raises(InputError, match="a column of numbers"):
        read("date\n2021-01-05\n")


# -- encodings -------------------------------------------------------------------------------------------------------


def test_encodings(read: Any) -> None:
    text = "Temperatur °C;Füllstand\n1;2\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        assert read(text.encode(encoding)).variable_names == ("Temperatur °C", "Füllstand")
    with pytest.raises(UserWarning, match="not UTF-8, so read as latin-1"):
        read(text.encode("latin-1"))
    assert read(text.encode("latin-1"), encoding="latin-1").variable_names == ("Temperatur °C", "Füllstand")
    with pytest.raises(FileError, match="it holds zero bytes"):
        read("a\n1\n".encode("utf-16-le"))
    with pytest.raises(FileError, match="cannot be read as CSV"):
        read(text, encoding="no such encoding")


def test_a_path_in_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "S.CSV").write_text("a\n1\n")
    np.testing.assert_array_equal(csv_series("~/S.CSV").values, [[1.0]])


def test_a_task_reads_the_chosen_columns_alone(tmp_path: Path) -> None:
    rows = [f"station {k},{np.sin(0.3 * k):.3f},{k % 7}\n" for k in range(200)]
    (tmp_path / "s.CSV").write_text("where,level,x\n" + "".join(rows))
    forecast = ForecastSpec(variables=["level"], n_train=120, n_horizon=5, n_starts=2)
    task = load_task(TaskSpec(name="s", path=str(tmp_path / "s.CSV"), kind="series", forecast=forecast))
    assert isinstance(task, ForecastTask)
