"""A default is stated in one place: functions, criteria, tables and verbs that share an option share its default."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from typer.main import get_command

from hrsnn import calibrate, verbs
from hrsnn.analysis.lyapunov import SURROGATE_GAIN, local_exponents, lyapunov_spectrum
from hrsnn.analysis.memory import capacity_of, input_memory_capacity, memory_capacity
from hrsnn.cli.app import app
from hrsnn.pruning.edges import add_edges
from hrsnn.pruning.lnp import LyapunovNoise
from hrsnn.pruning.noise import lyapunov_matrix, prune_by_noise
from hrsnn.pruning.options import LnpSpec
from hrsnn.pruning.schedule import prune
from hrsnn.pruning.session import prune_into
from hrsnn.pruning.spec import DEFAULT_SHARE, PruneSpec
from hrsnn.pruning.timescales import match_timescales, spectrum_under_drive
from hrsnn.spec import InputSpec
from hrsnn.survey import N_EXPONENTS, Depth

LNP, PRUNE, INPUT, DEPTH = LnpSpec(), PruneSpec(), InputSpec(), Depth()


def default(function: Callable[..., Any], name: str) -> Any:
    return inspect.signature(function).parameters[name].default


@pytest.mark.parametrize(
    ("function", "name", "of_the_table"),
    [
        (prune_by_noise, "mode", LNP.mode),
        (lyapunov_matrix, "mode", LNP.mode),
        (prune_by_noise, "diagonal", LNP.diagonal),
        (add_edges, "mode", LNP.edges),
        (prune, "n_iterations", PRUNE.n_iterations),
        (prune, "correct", PRUNE.correct),
        (lyapunov_spectrum, "surrogate_gain", SURROGATE_GAIN),
        (lyapunov_spectrum, "only_at_spikes", True),
        (local_exponents, "surrogate_gain", SURROGATE_GAIN),
        (local_exponents, "only_at_spikes", True),
        (match_timescales, "surrogate_gain", SURROGATE_GAIN),
        (spectrum_under_drive, "surrogate_gain", SURROGATE_GAIN),
        (verbs.analyse, "surrogate_gain", SURROGATE_GAIN),
        (verbs.analyse, "depth", DEPTH),
        (capacity_of, "n_delays", DEPTH.n_delays),
        (memory_capacity, "n_delays", DEPTH.n_delays),
        (input_memory_capacity, "n_delays", DEPTH.n_delays),
        (calibrate, "target_hz", INPUT.target_hz),
        (calibrate, "inhibitory_ratio", INPUT.inhibitory_ratio),
        (verbs.prune, "seed", default(prune_into, "seed")),
    ],
)
def test_functions_have_the_defaults_of_the_tables(
    function: Callable[..., Any], name: str, of_the_table: object
) -> None:
    assert default(function, name) == of_the_table


def test_lyapunov_noise_is_the_default_table() -> None:
    criterion = LyapunovNoise()
    assert {f.name: getattr(criterion, f.name) for f in fields(criterion)} == {**LNP.model_dump(), "n_threads": 1}


@pytest.mark.parametrize(
    ("verb", "option", "value"),
    [
        ("analyse", "delays", DEPTH.n_delays),
        ("analyse", "exponents", N_EXPONENTS),
        ("analyse", "gain", f"{SURROGATE_GAIN:g}"),
        ("prune", "keep_synapses", DEFAULT_SHARE),
        ("prune", "method", PRUNE.methods[0]),
        ("prune", "iterations", PRUNE.n_iterations),
    ],
)
def test_the_command_leaves_defaults_to_the_library_and_tells_them(verb: str, option: str, value: object) -> None:
    command: Any = get_command(app)
    told = next(p for p in command.commands[verb].params if p.name == option)
    assert told.default is None
    assert told.show_default == str(value)
