"""Make the environments of the frameworks that `hrsnn export nir --check` runs, one folder for each.

    python benchmarks/partners/make.py norse                 # under the user cache
    python benchmarks/partners/make.py norse spyx --to DIR   # DIR/norse, DIR/spyx; $HRSNN_PARTNERS=DIR finds them

Versions are pinned, so that a number can be made again. norse names torchvision among its needs and uses it in examples
alone; it is left out, as it brings another build of torch. An environment that is complete is left as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

TORCH = ("torch==2.13.0", "numpy==2.4.6")
NIR = ("nir==1.0.8", "h5py==3.16.0")


@dataclass(frozen=True, slots=True)
class Recipe:
    """The calls of `pip install` that make one environment, in order, and the packages whose versions are told."""

    installs: tuple[tuple[str, ...], ...]
    told: tuple[str, ...]


RECIPES = {
    "norse": Recipe(
        (TORCH, NIR, ("--no-deps", "nirtorch==2.6", "norse==1.1.0")), ("norse", "nir", "nirtorch", "torch")
    ),
    "sinabs": Recipe((TORCH, ("sinabs==3.1.3", "nir==1.0.4", "nirtorch==1.0")), ("sinabs", "nir", "nirtorch", "torch")),
    "snntorch": Recipe((TORCH, NIR, ("snntorch==1.0.0", "nirtorch==2.6")), ("snntorch", "nir", "nirtorch", "torch")),
    # for benchmarks/bptt.py alone. It asks for torchvision and torchaudio as well, which neurons do without.
    "spikingjelly": Recipe(
        (
            TORCH,
            ("loguru", "scipy", "tqdm", "packaging", "matplotlib", "requests"),
            ("--no-deps", "spikingjelly==2.0.0"),
        ),
        ("spikingjelly", "torch"),
    ),
    "spyx": Recipe((NIR, ("spyx==1.0.0", "jax==0.10.2", "flax==0.12.8")), ("spyx", "nir", "jax", "flax")),
}


def make(name: str, folder: Path) -> None:
    """Make one environment, with its runner and `versions.json`, which is written last."""
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    runner = Path(__file__).with_name(f"run_{name}.py")  # of those that read NIR
    if (folder / "versions.json").exists():
        _copied(runner, folder)
        print(f"{name}: there", flush=True)
        return
    print(f"{name}: making {folder}", flush=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    venv.create(folder, with_pip=True, clear=True)
    recipe = RECIPES[name]
    for packages in recipe.installs:
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    code = f"import importlib.metadata as m, json; print(json.dumps({{n: m.version(n) for n in {recipe.told!r}}}))"
    versions = json.loads(subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout)
    _copied(runner, folder)
    (folder / "versions.json").write_text(json.dumps(versions, indent=1) + "\n", "utf-8")


def _copied(runner: Path, folder: Path) -> None:
    if runner.exists():
        shutil.copy(runner, folder / "run.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*RECIPES, []], help="all when absent")
    parser.add_argument("--to", type=Path, help="folder; else $HRSNN_PARTNERS, else the user cache of hrsnn")
    given = parser.parse_args()
    to = given.to or (Path(os.environ["HRSNN_PARTNERS"]) if "HRSNN_PARTNERS" in os.environ else None)
    if to is None:
        from hrsnn.data import user_cache

        to = user_cache() / "partners"
    for name in given.names or RECIPES:
        make(name, to / name)


if __name__ == "__main__":
    main()
