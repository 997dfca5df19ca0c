"""How a contract is held: what must be true, and what must be refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable

from hrsnn._checks import InputError, as_text


def claim(ok: object, owner: str, rule: str, found: object = "") -> None:
    """Raise `AssertionError` unless `ok`.

    >>> claim(False, "uniform", "must be exact", "59 neurons")
    Traceback (most recent call last):
        ...
    AssertionError: uniform must be exact, got 59 neurons
    """
    if not ok:
        raise AssertionError(f"{owner} {rule}" + (f", got {as_text(found)}" if found != "" else ""))


def refuses(owner: str, what: str, call: Callable[[], object], *words: str) -> None:
    """Raise `AssertionError` unless `call` raises `InputError` in one line that holds one of `words`, if any."""
    said = sentence_of(owner, what, call)
    claim(said is not None, owner, f"must refuse {what}", "no error")
    claim(not words or any(word in str(said) for word in words), owner, f"must say {words} of {what}", said)


def sentence_of(owner: str, what: str, call: Callable[[], object]) -> str | None:
    """What `call` is refused with; None where it is not. Anything but an `InputError` of one line is a failure."""
    try:
        call()
    except InputError as error:
        claim("\n" not in str(error) and str(error), owner, f"must refuse {what} in one sentence", str(error))
        return str(error)
    except Exception as error:
        raise AssertionError(f"{owner} must refuse {what} with an InputError, got {error!r}") from error
    return None
