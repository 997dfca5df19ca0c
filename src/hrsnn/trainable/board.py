"""The course of learning as curves that TensorBoard draws."""

from __future__ import annotations

from os import PathLike
from typing import Any

from hrsnn._checks import as_path, extra
from hrsnn.progress import ProgressEvent

_CURVES = ("loss", "score", "spikes_per_neuron", "silent_share")


class TensorBoard:
    """Progress for `hrsnn.learn(..., progress=)` and others, kept in `folder` (extra `tensorboard`).

    A curve for each of loss, score, spikes per neuron and share of silent neurons, over the recordings seen. Where
    learning goes on from a checkpoint the curves do so too: points of the same folder from there on are replaced.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     board = TensorBoard(folder)
    ...     board(ProgressEvent("learning", 10, 10, loss=0.5))
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        with extra("tensorboard", "`TensorBoard`", "torch and tensorboard"):
            from torch.utils.tensorboard import SummaryWriter
        self._make, self._folder = SummaryWriter, as_path("TensorBoard", "folder", folder)
        self._writer: Any = None  # made with the first event, which says where the curves go on

    def __call__(self, event: ProgressEvent) -> None:
        values = {name: getattr(event, name) for name in _CURVES}
        told = {name: value for name, value in values.items() if value is not None}
        if not told:
            return
        if self._writer is None:
            self._writer = self._make(str(self._folder), purge_step=event.done)
        for name, value in told.items():
            self._writer.add_scalar(f"{event.phase}/{name}", value, event.done)
        if event.done >= event.total or event.score is not None:
            self._writer.flush()
