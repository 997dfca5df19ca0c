"""How values show themselves: one line at a prompt, a small table in a notebook, never their arrays."""

from __future__ import annotations

from abc import abstractmethod
from html import escape


class Shown:
    """Shows the facts that `_glance` gives."""

    __slots__ = ()

    @abstractmethod
    def _glance(self) -> dict[str, object]:
        """Names and values that tell one from another."""

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({', '.join(f'{name}={_short(value)}' for name, value in self._glance().items())})"
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(_short(value))}</td></tr>"
            for name, value in self._glance().items()
        )
        return f"<table><caption>{escape(type(self).__name__)}</caption>{rows}</table>"


def _short(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
