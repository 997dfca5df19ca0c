"""What a rule of learning is: its settings as a table, and a function from a network to one with other weights."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from hrsnn.data.dataset import Dataset
from hrsnn.network import Network
from hrsnn.progress import Progress
from hrsnn.spec import Table
from hrsnn.spikes import Spikes


class Learner(Table):
    """The table `[learn]`: a rule, by its name in `rule`, with its settings. Frozen.

    A kind is a class in a file of its own, with `rule: Literal["its name"] = "its name"` among its fields, and one line
    in `hrsnn.learners.KINDS`. `letter` is how networks that it teaches are called: "S" where the spread of plasticity
    matters (HeNHoS and HeNHeS differ), any other where it does not (HeNB). `needs_labels` is true where it refuses
    recordings without classes, `reads_labels` where it looks at them if there are any; else they are not looked at. One
    that `keeps_checkpoints` takes `checkpoint`, a path or None: a file of its own that it goes on from, to the same
    numbers, after it was stopped. One that `chooses` among what it was after each epoch takes `validation`, recordings
    like `data` to choose by, or None. `hrsnn.testing.learners` holds it to what is said here.
    """

    letter: ClassVar[str] = "S"
    needs_labels: ClassVar[bool] = False
    reads_labels: ClassVar[bool] = False
    keeps_checkpoints: ClassVar[bool] = False
    chooses: ClassVar[bool] = False

    rule: str

    @property
    def changes(self) -> frozenset[str]:
        """The columns of neurons that it may change, beside weights."""
        return frozenset()

    @abstractmethod
    def learn(self, network: Network, data: Dataset | Spikes, *, seed: int, progress: Progress) -> Network:
        """`network` with the weights (and `changes`) left after it saw `data`, and one more line in its history.

        The same bits for the same arguments, in any process. `data` hold at least one recording.
        """
