"""Published numbers that stand beside ours: claims, not targets (table V of the summary paper, arXiv 2407.06452).

(mean, standard deviation) of the rows trained by STDP. Mean and deviation of the error and of the valid prediction
time, in steps, are over repeats. Two cells are lost or were copied from another row, and are left out here. The
synaptic operations of that table are those measured on CIFAR-10, so only their ratios say something, and little.
"""

from __future__ import annotations

MeanSd = tuple[float, float]

# (method, model) -> operations in millions
SYNOPS_M: dict[tuple[str, str], MeanSd] = {
    ("unpruned", "HRSNN"): (710.76, 79.65),
    ("unpruned", "CHRSNN"): (744.97, 80.09),
    ("activity", "HRSNN"): (92.68, 10.11),
    ("activity", "CHRSNN"): (118.77, 10.59),
    ("lnp-published", "HRSNN"): (18.22, 2.03),
    ("lnp-published", "CHRSNN"): (14.79, 1.58),
}
# The same rows, and as columns (series, metric); None is left out.
_COLUMNS = (("lorenz63", "rmse"), ("lorenz63", "vpt_steps"), ("google-stock", "rmse"), ("google-stock", "vpt_steps"))
_ROWS: dict[tuple[str, str], tuple[MeanSd | None, ...]] = {
    ("unpruned", "HRSNN"): ((0.315, 0.042), (35.75, 4.65), None, (32.36, 3.14)),
    ("unpruned", "CHRSNN"): ((0.285, 0.021), (40.17, 5.13), None, None),
    ("activity", "HRSNN"): ((1.718, 0.195), (21.10, 7.22), (1.948, 0.179), (19.25, 7.59)),
    ("activity", "CHRSNN"): ((1.596, 0.194), (29.41, 7.33), (1.987, 0.191), (17.68, 7.38)),
    ("lnp-published", "HRSNN"): ((0.705, 0.104), (32.17, 4.62), (0.917, 0.124), (30.25, 3.26)),
    ("lnp-published", "CHRSNN"): ((0.679, 0.098), (39.24, 4.15), (0.901, 0.101), (32.14, 3.05)),
}
SCORES: dict[tuple[str, str], dict[tuple[str, str], MeanSd]] = {
    row: {column: score for column, score in zip(_COLUMNS, scores, strict=True) if score is not None}
    for row, scores in _ROWS.items()
}


def fewer_operations(method: str, model: str) -> float | None:
    """How many times fewer operations than the unpruned network, as published.

    >>> round(fewer_operations("lnp-published", "HRSNN"), 2)
    39.01
    """
    of, dense = SYNOPS_M.get((method, model)), SYNOPS_M.get(("unpruned", model))
    return dense[0] / of[0] if of and dense and method != "unpruned" else None
