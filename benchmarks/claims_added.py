"""Claims that the ledger has got since it was measured: their units alone, and the ledger judged again as a whole.

    python benchmarks/claims_added.py --work DIR --out docs/results/claims.json

`hrsnn reproduce claims` measures all claims. This takes the raw pairs of the claims that a claims.json has as they
stand, measures the units that the others of the ledger ask for, at the same scale (those that DIR holds are not done
again), and makes intervals, verdicts, the correction for all tests and the sentences of the whole document anew, and
CLAIMS.md beside the folder of the document.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hrsnn.network_file import write_atomically
from hrsnn.outcome import as_json, plain_values
from hrsnn.progress import no_progress
from hrsnn.report.claims import claims_markdown
from hrsnn.reproduce.claims import judged, measured_claim, networks_of, work_of
from hrsnn.reproduce.ledger import CLAIMS
from hrsnn.reproduce.pairs import Observations
from hrsnn.reproduce.scales import SCALES, Scale
from hrsnn.reproduce.units import Values, plan


class AskedFor(dict[str, Values]):
    """Unit name -> values, each unit done or read from its file when it is first asked for."""

    def __init__(self, scale: Scale, folder: Path) -> None:
        super().__init__()
        self.work, self.units = work_of(scale, folder), {unit.name: unit for unit in plan(scale)}
        self.work.path.mkdir(parents=True, exist_ok=True)

    def __missing__(self, name: str) -> Values:
        unit, begun = self.units[name], time.process_time()
        self.work.do(unit, no_progress)
        values = self.work.read(unit)
        assert values is not None
        print(f"{name}: {time.process_time() - begun:.1f} s", flush=True)
        self[name] = values
        return values


def with_added(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The document with all claims of the ledger."""
    scale = SCALES[document["scale"]["name"]]
    changed = {name for name, value in document["scale"].items() if plain_values(asdict(scale))[name] != value}
    assert not changed, f"the scale has other values now: {changed}"
    found = Observations(AskedFor(scale, folder), scale)
    there = {claim["id"]: claim for claim in document["claims"]}
    claims = [there[one.id] if one.id in there else measured_claim(one, found) for one in CLAIMS]
    networks = {**networks_of(scale), **document["networks"]}
    return judged(plain_values({**document, "scale": asdict(scale), "claims": claims, "networks": networks}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of finished units")
    parser.add_argument("--out", type=Path, required=True, help="the claims.json that is completed")
    given = parser.parse_args()
    document = with_added(json.loads(given.out.read_bytes()), given.work)
    write_atomically(given.out, as_json(document))
    write_atomically(given.out.parents[1] / "CLAIMS.md", claims_markdown(document).encode())


if __name__ == "__main__":
    main()
