"""How the synapses of a table lie for the compiled step: one by one in rows, or as whole rows where most are there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn.trainable.parts import Weights

# Of the places in the rows of a kind and delay that have a synapse, the share from which on whole rows are taken: they
# become faster between 0.3 and 0.5, see docs/results/bptt.json.
DENSE_FROM = 0.3

Integers = NDArray[np.int64]


class WeightLayout:
    """Where each synapse of a table is, in its order; `table` puts weights there, `by_synapse` takes gradients back.

    ptr, post, delay   the synapses, delays in steps
    negative           (n_synapses,) which feed the inhibitory current; None where that goes by the sign of the weight
                       at the time. All False for delta synapses, which have one kind of current
    """

    def __init__(
        self, ptr: Integers, post: NDArray[Any], delay: NDArray[Any], negative: NDArray[np.bool_] | None, *, n: int,
        is_exp: bool,
    ) -> None:  # fmt: skip
        self._n, self._by_sign = n, negative is None
        n_kinds = 2 if is_exp else 1
        n_pre = ptr.size - 1
        kind = np.zeros(post.size, np.int64) if negative is None else negative.astype(np.int64)
        route = (delay.astype(np.int64) - 1) * n_kinds + kind
        pre = np.repeat(np.arange(n_pre), np.diff(ptr))
        runs, run = np.unique(route * n_pre + pre, return_inverse=True)
        place = run * n + post
        sides = 2 if self._by_sign else 1
        is_single = np.unique(place).size == place.size  # two synapses of the same ends have two weights
        self.is_dense = bool(is_single and runs.size and runs.size * n * sides * DENSE_FROM <= place.size)
        nothing = np.zeros(0, np.uint32)
        if not self.is_dense:
            self._place: Integers | None = None
            self._target = (route * n + post).astype(np.uint32)
            self._rest = Weights(False, ptr, self._target, np.zeros(0), np.zeros(0, np.int64), nothing, nothing)
            return
        self._size, self._per_side = runs.size * n * sides, runs.size * n
        in_order = self._size == place.size and bool((place == np.arange(place.size)).all())
        self._place = None if in_order else place
        unit = np.tile(runs % n_pre, sides)
        target = np.concatenate([(runs // n_pre + side) * n for side in range(sides)])
        order = np.argsort(unit, kind="stable")
        ends = np.concatenate([[0], np.cumsum(np.bincount(unit, minlength=n_pre))])
        self._rest = Weights(
            True, ends, target[order].astype(np.uint32), np.zeros(0), order, unit.astype(np.uint32),
            target.astype(np.uint32),
        )  # fmt: skip

    def table(self, weight: NDArray[Any]) -> Weights:
        """`weight` (n_synapses,) where the kernels look for it."""
        weight = np.ascontiguousarray(weight)
        negative = np.signbit(weight) if self._by_sign else None
        if not self.is_dense:
            target = (
                self._target if negative is None else self._target + negative.astype(np.uint32) * np.uint32(self._n)
            )
            return self._rest._replace(target=target, weight=weight)
        if self._place is not None:
            whole = np.zeros(self._size, weight.dtype)
            whole[self._placed(negative)] = weight
            weight = whole
        return self._rest._replace(weight=weight)

    def by_synapse(self, gradient: NDArray[Any], weight: NDArray[Any]) -> NDArray[Any]:
        """Of gradients in the places of the kernels those of the synapses, whose weights are `weight`."""
        if self._place is None:
            return gradient
        taken: NDArray[Any] = gradient[self._placed(np.signbit(weight) if self._by_sign else None)]
        return taken

    def _placed(self, negative: NDArray[np.bool_] | None) -> Integers:
        assert self._place is not None
        return self._place if negative is None else self._place + negative * self._per_side
