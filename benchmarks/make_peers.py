"""Make the virtual environments of the simulators that `hrsnn bench` compares with, one folder per peer.

    python benchmarks/make_peers.py .peers              # all of them
    python benchmarks/make_peers.py .peers nest torch   # these

Versions are pinned, so that a number can be made again. Every peer has an environment of its own, because their needs
contradict each other (Brian2 wants an older NumPy) and none of them is a dependency of hrsnn. An environment that is
complete is left as it is. GeNN is compiled from its source, which needs a C++ compiler, make and the header of libffi;
Brian2 and GeNN need the compiler again when they run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

GENN_ARCHIVE = "https://github.com/genn-team/genn/archive/refs/tags/5.4.0.tar.gz"
TORCH = ("torch==2.13.0", "numpy==2.3.5")


@dataclass(frozen=True, slots=True)
class Recipe:
    """The calls of `pip install` that make one environment, in order, and a statement that proves it."""

    installs: tuple[tuple[str, ...], ...]
    proof: str


def recipes(genn_source: str) -> dict[str, Recipe]:
    """What each environment is made of; `genn_source` is a folder or an archive."""
    return {
        "brian2": Recipe((("brian2==2.9.0", "numpy==2.3.5", "setuptools<81"),), "import brian2"),
        "nest": Recipe((("nest-simulator==3.10.0", "numpy==2.3.5"),), "import nest"),
        "genn": Recipe(
            (
                ("numpy==2.3.5", "setuptools<81", "wheel", "pybind11", "psutil", "pkgconfig", "deprecated"),
                ("--no-build-isolation", genn_source),
            ),
            "import pygenn",
        ),
        "torch": Recipe((TORCH,), "import torch"),
        # BindsNET asks for a newer torch and for image, plotting and game packages; the script of the peer puts empty
        # modules in place of those, which the simulation does not use.
        "bindsnet": Recipe(
            (TORCH, ("scipy", "tqdm", "pillow"), ("--no-deps", "bindsnet==0.3.4")),
            "import importlib.metadata; importlib.metadata.version('bindsnet')",
        ),
    }


def make(folder: Path, recipe: Recipe) -> None:
    """Make the environment `folder`, unless its proof holds already."""
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    proof = [str(python), "-c", recipe.proof]
    if python.exists() and subprocess.run(proof, capture_output=True, check=False).returncode == 0:
        print(f"{folder.name}: there", flush=True)
        return
    print(f"{folder.name}: being made", flush=True)
    venv.create(folder, with_pip=True)
    for install in recipe.installs:
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *install], check=True)
    subprocess.run(proof, check=True, stdout=subprocess.DEVNULL)
    print(f"{folder.name}: made", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the environments go, for example .peers")
    parser.add_argument("peers", nargs="*", help="which peers; all when absent")
    parser.add_argument("--genn-source", default=GENN_ARCHIVE, help="folder or archive with the source of GeNN 5.4.0")
    options = parser.parse_args()
    known = recipes(options.genn_source)
    if unknown := sorted(set(options.peers) - set(known)):
        parser.error(f"unknown peer {', '.join(unknown)}; known: {', '.join(known)}")
    failed = []
    for name in options.peers or known:
        try:
            make(options.folder / name, known[name])
        except subprocess.CalledProcessError as error:
            print(f"{name}: could not be made, `{' '.join(map(str, error.cmd))}` failed", file=sys.stderr)
            failed.append(name)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
