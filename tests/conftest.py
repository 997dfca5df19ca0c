"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of recorded data, `$HRSNN_DATA`; a test that needs it is skipped only where the variable is unset."""
    found = os.environ.get("HRSNN_DATA")
    if not found:
        pytest.skip("needs recorded data: set HRSNN_DATA")
    return Path(found)
