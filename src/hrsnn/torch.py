"""Networks as modules of torch, and back (extra `torch`).

>>> import hrsnn.torch, torch
>>> network = hrsnn.Network.from_arrays([[0.0, -0.5], [0.8, 0.0]], [[1.2], [0.0]], tau_mem_ms=[10.0, 20.0])
>>> module = hrsnn.torch.module_of(network)
>>> spikes, state = module(torch.ones(5, 1, 1))
>>> spikes.shape, hrsnn.torch.network_of(module).recurrent == network.recurrent
(torch.Size([5, 1, 2]), True)

The library of that name is not hidden: imports here are absolute, and this file is `hrsnn.torch` alone.
"""

from __future__ import annotations

from hrsnn._checks import extra

with extra("torch", "`hrsnn.torch`", "torch"):
    from hrsnn.trainable.board import TensorBoard
    from hrsnn.trainable.exchange import module_of, network_of
    from hrsnn.trainable.module import SpikingModule, SpikingState
    from hrsnn.trainable.surrogate import Surrogate

__all__ = ["SpikingModule", "SpikingState", "Surrogate", "TensorBoard", "module_of", "network_of"]
