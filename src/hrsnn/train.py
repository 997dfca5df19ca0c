"""learn: a network goes in, one with other weights comes out."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np

from hrsnn._checks import as_path, instance, require, whole_number
from hrsnn.data.dataset import Dataset
from hrsnn.learners import Learner, Stdp, learner_of
from hrsnn.network import Network
from hrsnn.progress import Progress, ProgressLine, no_progress
from hrsnn.spikes import Spikes

LearnSpec = Stdp  # the table `[learn]` of the default rule


def learn(
    network: Network,
    data: Dataset | Spikes,
    spec: Learner | None = None,
    *,
    seed: int = 0,
    progress: Progress | bool = no_progress,
    dtype: type = np.float32,
    checkpoint: str | PathLike[str] | None = None,
    validation: Dataset | Spikes | None = None,
) -> Network:
    """The network with the weights that are left after it saw `data`.

    spec       the rule with its settings; None is STDP, once over all recordings, without labels
    seed       of the order of the recordings
    progress   called after each recording; True tells on standard error
    dtype      of STDP: np.float32 or np.float64
    checkpoint of backpropagation: a file that holds where training stands after every epoch, and that it goes on from
               where it was stopped, to the same numbers
    validation of backpropagation: recordings like `data` that choose the epoch, in place of a share of `data`

    >>> import hrsnn
    >>> spec = hrsnn.NetworkSpec.preset("HoNHoS", n_inputs=2, n_neurons=20)
    >>> spikes = hrsnn.Spikes.from_times([[1, 2, 3]], [[0, 1, 0]], n_units=2, n_steps=20, dt_ms=1.0)
    >>> hrsnn.learn(hrsnn.build(spec, seed=0), spikes).provenance["history"]
    ['built', 'learned by STDP on 1 recordings']
    """
    instance("learn", "network", network, Network)
    instance("learn", "data", data, Dataset, Spikes)
    learner = learner_of({}) if spec is None else instance("learn", "spec", spec, Learner)  # type: ignore[type-abstract]
    n_recordings = (data if isinstance(data, Spikes) else data.spikes).n_samples
    require(n_recordings >= 1, "learn", "data", "must hold at least one recording", "none")
    seed = whole_number("learn", "seed", seed, at_least=0)
    told = isinstance(progress, bool) or callable(progress)
    require(told, "learn", "progress", "must be true, false or a function", progress)
    if isinstance(progress, bool):
        progress = ProgressLine() if progress else no_progress
    if validation is not None:
        instance("learn", "validation", validation, type(data))
        require(learner.chooses, "learn", "validation", f"is not looked at by {learner.rule}; leave it out", validation)
    if isinstance(learner, Stdp) and checkpoint is None:
        return learner.learn(network, data, seed=seed, progress=progress, dtype=dtype)
    require(dtype is np.float32, "learn", "dtype", "is chosen for STDP alone", dtype)
    more: dict[str, Any] = {}
    if learner.keeps_checkpoints:
        more["checkpoint"] = None if checkpoint is None else as_path("learn", "checkpoint", checkpoint)
    else:
        require(checkpoint is None, "learn", "checkpoint", f"is not kept by {learner.rule}; leave it out", checkpoint)
    if learner.chooses:
        more["validation"] = validation
    return learner.learn(network, data, seed=seed, progress=progress, **more)
