"""The examples of the README are typed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_examples_pass_mypy_strict(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert blocks
    files = [tmp_path / f"block{number}.py" for number in range(len(blocks))]
    for file, block in zip(files, blocks, strict=True):
        file.write_text(block, "utf-8")
    cache = ["--cache-dir", str(ROOT / ".mypy_cache")]  # what is known of libraries serves the next call of mypy
    options = ["--strict", "--scripts-are-modules", "--config-file", str(ROOT / "pyproject.toml"), *cache]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *map(str, files)], cwd=ROOT / "src", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
