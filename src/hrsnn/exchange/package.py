"""The package nir, imported where it is needed."""

from __future__ import annotations

from typing import Any

from hrsnn._checks import MissingExtraError


def nir_package() -> Any:
    """The module `nir`; raises `MissingExtraError` where it is not installed."""
    try:
        import nir
    except ImportError as why:
        message = f"exchange with NIR needs the package nir ({why}); `pip install 'hrsnn[nir]'` installs it"
        raise MissingExtraError(message) from why
    return nir
