"""Signals, images, frames and events -> `Spikes`.

Functions and codes that draw take `rng`: one generator for all samples in turn, or a sequence of one per sample, which
makes the spikes of a sample independent of the others in its batch.
"""

from hrsnn.encode.audio import AudioCode
from hrsnn.encode.events import level_crossing, pool_events
from hrsnn.encode.frames import temporal_difference
from hrsnn.encode.rates import PopulationCode, poisson_rate

__all__ = ["AudioCode", "PopulationCode", "level_crossing", "poisson_rate", "pool_events", "temporal_difference"]
