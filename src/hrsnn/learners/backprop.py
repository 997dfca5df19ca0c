"""Backpropagation through time with surrogate gradients (method.md 2.4, 13): its table `[learn]`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from hrsnn._checks import extra
from hrsnn.data.dataset import Dataset
from hrsnn.learners.learner import Learner
from hrsnn.network import Network
from hrsnn.progress import Progress
from hrsnn.spikes import Spikes
from hrsnn.trainable.settings import Settings


class Backprop(Settings, Learner):
    """The table `[learn]` of `rule = "backprop"`: AdamW on weights, and time constants if wanted (needs extra `torch`).

    Recordings with classes are told apart by a linear head on spike counts in `n_bins` bins (cross-entropy). Those
    without are foretold: a linear head on filtered spike trains tells the input counts of the next `ahead_ms` (squared
    error). The head is left behind: what reads the network then is the readout, as after any other rule. Settings are
    those of `hrsnn.trainable.settings.Settings`.
    """

    letter: ClassVar[str] = "B"
    reads_labels: ClassVar[bool] = True
    keeps_checkpoints: ClassVar[bool] = True
    chooses: ClassVar[bool] = True

    rule: Literal["backprop"] = "backprop"

    def learn(
        self,
        network: Network,
        data: Dataset | Spikes,
        *,
        seed: int,
        progress: Progress,
        checkpoint: Path | None = None,
        validation: Dataset | Spikes | None = None,
    ) -> Network:
        """The network of the epoch that was best on what is held out, or of the last where nothing is.

        Held out is `validation`, with a `validation_share` above 0, or that share of `data` where there is none.
        `seed` draws what is held out, the order, augmentation, dropout and the head. `checkpoint`: a file that holds
        where training stands after each epoch, and that it goes on from, to the same numbers, where it is of the same
        network, data, table and seed. Raises `InputError` where the loss is not finite, after which the file still
        holds the epoch before, and for a network in which nothing can be learned because no neuron spikes.
        """
        with extra("torch", '`learn.rule = "backprop"`', "torch"):
            from hrsnn.trainable.fit import fit
        return fit(network, data, self, seed=seed, progress=progress, checkpoint=checkpoint, validation=validation)
