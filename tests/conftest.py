"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Encoded recordings of tests are kept apart from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HRSNN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of recorded data, `$HRSNN_DATA`; a test that needs it is skipped only where the variable is unset."""
    found = os.environ.get("HRSNN_DATA")
    if not found:
        pytest.skip("needs recorded data: set HRSNN_DATA")
    return Path(found)


@pytest.fixture
def one_torch_thread() -> Iterator[None]:
    """Tensors of tests are small: threads would wait for each other."""
    import torch

    n = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n)
