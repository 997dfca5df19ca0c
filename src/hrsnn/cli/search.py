"""`hrsnn search`: find the laws of a network's parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hrsnn.cli.app import (
    INTERRUPTED,
    MOST,
    OK,
    ConfigSource,
    DataDir,
    Executor,
    Jobs,
    Json,
    Quiet,
    Verb,
    complain,
    print_json,
    stop_on_termination,
)


def search(
    config: ConfigSource = None,
    arm: Annotated[
        list[str] | None,
        typer.Option(
            help="Which network, e.g. HeNHeS. Repeatable; all: each with the same budget.",
            show_default="the last of task.arms",
        ),
    ] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(help="task, memory, spikes, efficiency or energy; twice for a front.", show_default="task"),
    ] = None,
    profile: Annotated[str, typer.Option(help="Device of the objective energy, e.g. loihi.", show_default=False)] = "",
    budget: Annotated[
        list[str] | None,
        typer.Option(metavar="COST=MOST", help="Per sample, e.g. synops_per_sample=2e5. Repeatable."),
    ] = None,
    pruned: Annotated[
        str, typer.Option(help="Prune networks before they learn, by this method.", show_default=False)
    ] = "",
    trials: Annotated[int, typer.Option(min=1, max=MOST, help="Trials in all.")] = 80,
    seeds: Annotated[int, typer.Option(min=1, max=MOST, help="Seeds of each point.")] = 1,
    replicates: Annotated[int, typer.Option(min=1, max=MOST, help="Seeds of the best points, at most.")] = 4,
    family: Annotated[str, typer.Option(help="Of the laws: gamma, lognormal or free.")] = "gamma",
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Change a value. Repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the points.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Directory of the search.", show_default="searches/<task>-<arm>")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(help="URL of a database, or a path ending in .log.", show_default="a database in --out"),
    ] = None,
    jobs: Jobs = None,
    executor: Executor = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> Verb:
    """Find the laws of a network's parameters by Bayesian optimisation. Stopped and started again, it goes on."""

    def do() -> int:
        stop_on_termination()
        from hrsnn import verbs
        from hrsnn.console import Display, search_text, searches_text

        try:
            with Display(quiet=quiet) as display:
                shared: dict[str, Any] = {
                    "objective": objective or ("task",), "n_trials": trials, "n_seeds": seeds,
                    "max_replicates": replicates, "family": family, "profile": profile, "pruned": pruned,
                    "budget": _budget(budget or []), "set": set_ or (), "seed": seed, "out": out, "storage": storage,
                    "data_dir": data_dir, "jobs": jobs, "executor": executor, "say": display.say,
                }  # fmt: skip
                if arm and (len(arm) > 1 or arm == ["all"]):
                    several = verbs.search_arms(config, arms=None if arm == ["all"] else arm, **shared)
                else:
                    found = verbs.search(config, arm=arm[0] if arm else None, **shared)
                    several = {}
        except KeyboardInterrupt:
            complain("interrupted; what is finished is kept, and the same command goes on from there")
            return INTERRUPTED
        if several:
            if as_json:
                print_json({name: one.document for name, one in several.items()})
            else:
                print(searches_text({name: one.document for name, one in several.items()}))
                print(f"\nReports: {', '.join(str(one.path / verbs.SEARCH_PAGE) for one in several.values())}")
                if any(one.best is not None for one in several.values()):
                    folder = next(iter(several.values())).path.parent
                    print(f"Config: {folder / verbs.FOUND}")
                    print(f"Validation chose; what holds on test data: hrsnn run --from-search {folder}")
        elif as_json:
            print_json(found.document)
        else:
            print(search_text(found.document))
            if found.best is not None:
                print(f"Config: {found.path / verbs.FOUND}")
            print(f"Report: {found.path / verbs.SEARCH_PAGE}")
        return OK

    return do


def _budget(given: list[str]) -> dict[str, float]:
    """The most of each cost, of texts "cost=most"."""
    from hrsnn._checks import require

    found = {}
    for text in given:
        name, _, most = text.partition("=")
        try:
            found[name.strip()] = float(most)
        except ValueError:
            rule = "must have the form cost=most, for example synops_per_sample=2e5"
            require(False, "hrsnn search", "--budget", rule, text)
    return found
