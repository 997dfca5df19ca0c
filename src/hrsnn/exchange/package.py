"""The package nir, imported where it is needed."""

from __future__ import annotations

from typing import Any

from hrsnn._checks import extra


def nir_package() -> Any:
    """The module `nir`; raises `MissingExtraError` where it is not installed."""
    with extra("nir", "exchange with NIR", "the package nir"):
        import nir
    return nir
