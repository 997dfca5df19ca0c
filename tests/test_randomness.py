"""Streams: one per seed, purpose and index, the same everywhere and always."""

from __future__ import annotations

from hrsnn.randomness import stream


def test_known_numbers() -> None:
    # default_rng([0, crc32(b"weights"), 0]); a change of these numbers changes every network ever built
    assert stream(0, "weights").integers(2**32, size=3).tolist() == [3813292653, 3010760540, 313492144]


def test_seed_label_and_index_each_give_a_stream_of_its_own() -> None:
    draws = {
        stream(seed, label, index).random() for seed in (0, 1) for label in ("weights", "delays") for index in (0, 1)
    }
    assert len(draws) == 8
    assert stream(0, "weights").random() == stream(0, "weights", 0).random()
