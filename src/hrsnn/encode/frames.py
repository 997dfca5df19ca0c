"""Video frames as spikes of change."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hrsnn._checks import check_all, real_array, real_number, require, time_step
from hrsnn.encode.rates import check_finite, from_keys
from hrsnn.spikes import Spikes, to_steps


def temporal_difference(
    frames: ArrayLike, *, fps: float, threshold: float = 0.1, dt_ms: float = 1.0, graded: bool = False
) -> Spikes:
    """ON and OFF spikes where brightness changes between frames by `threshold` or more (method.md 6.2).

    frames  (n_samples, n_frames, height, width), grey, in [0, 1]; at least two frames
    fps     frames per second; frame f begins at step floor(f * 1000 / (fps * dt_ms))
    graded  floor(change / threshold) spikes spread evenly over the frame, at most one per step, instead of one spike at
            its first step

    ON of pixel (row, column) is unit `row * width + column`; OFF follows after `height * width` units. The first frame
    has no predecessor and gives no spike.

    >>> dark, bright = np.zeros((2, 2)), np.ones((2, 2))
    >>> s = temporal_difference([[dark, bright, dark]], fps=100)
    >>> s.step.tolist(), s.unit.tolist(), s.n_steps
    ([10, 10, 10, 10, 20, 20, 20, 20], [0, 1, 2, 3, 4, 5, 6, 7], 30)
    """
    owner = "temporal_difference"
    video = real_array(owner, "frames", frames)
    ok = video.ndim == 4 and video.shape[1] >= 2 and video.shape[2] * video.shape[3] > 0
    require(ok, owner, "frames", "must have shape (samples, frames >= 2, height, width)", f"shape {video.shape}")
    check_finite(owner, "frames", video)
    flat = video.reshape(-1)
    check_all(owner, "frames", "must lie in [0, 1]", flat, (flat >= 0) & (flat <= 1))
    threshold, dt_ms = real_number(owner, "threshold", threshold, above=0), time_step(owner, dt_ms)
    fps = real_number(owner, "fps", fps)
    ok = 0 < fps * dt_ms <= 1000.0
    require(ok, owner, "fps", f"must lie in (0, {1000.0 / dt_ms:g}], at least one step per frame", fps)
    n_frames, n_pixels = video.shape[1], video.shape[2] * video.shape[3]
    begin = to_steps(np.arange(n_frames + 1) * (1000.0 / fps), dt_ms)
    keys = []
    for sample in video:
        change = np.diff(sample.reshape(n_frames, n_pixels), axis=0)
        n_spikes = np.floor(np.abs(change) / threshold + 1e-9).astype(np.int64)  # 0.3 / 0.1 counts as 3
        before, pixel = np.nonzero(n_spikes)
        unit = pixel + np.where(change[before, pixel] > 0, 0, n_pixels)
        first, length = begin[before + 1], (begin[1:] - begin[:-1])[before + 1]
        n = np.minimum(n_spikes[before, pixel], length) if graded else np.ones(before.size, dtype=np.int64)
        nth = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)  # 0, 1, ... within each change
        step = np.repeat(first, n) + nth * np.repeat(length, n) // np.repeat(n, n)
        keys.append(np.sort(step * (2 * n_pixels) + np.repeat(unit, n)))
    return from_keys(keys, n_units=2 * n_pixels, n_steps=int(begin[-1]), dt_ms=dt_ms)
