"""Names beside the points of a figure, so that none lies on another, on a point or on an interval."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

CHARACTER_PX, LINE_PX, MARK_PX = 6.6, 15.0, 13.0
DISTANCES_PX = (4, 12, 22, 34, 50, 70, 95, 125, 160, 200, 250, 310)
DIRECTIONS = tuple(math.pi * k / 8 for k in (0, 8, 12, 4, 14, 2, 10, 6, 15, 1, 9, 7, 13, 11, 3, 5))


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, in pixels from the upper left corner."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """The area that both cover.

        >>> Box(0, 0, 10, 10).overlap(Box(5, 5, 20, 20))
        25.0
        """
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return float(wide * high) if wide > 0 and high > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Spot:
    """A point with its name and the ends of its interval, in pixels from the upper left corner."""

    x: float
    y: float
    name: str
    top: float
    bottom: float

    @property
    def boxes(self) -> tuple[Box, Box]:
        half = MARK_PX / 2
        mark = Box(self.x - half, self.y - half, self.x + half, self.y + half)
        return mark, Box(self.x - 3, self.top, self.x + 3, self.bottom)


def placed(spots: Sequence[Spot], width: float, height: float) -> list[tuple[float, float]]:
    """For every spot the way from it to the middle of its name, in pixels; names stay within `width` and `height`.

    One name after the other takes the place where it covers least, the nearest of equals.
    """
    taken = [box for spot in spots for box in spot.boxes]
    ways = []
    for spot in spots:
        _, way, box = min(_choices(spot, taken, width, height), key=lambda choice: choice[0])
        taken.append(box)
        ways.append(way)
    return ways


def _choices(
    spot: Spot, taken: Sequence[Box], width: float, height: float
) -> Iterable[tuple[float, tuple[float, float], Box]]:
    half = CHARACTER_PX * len(spot.name) / 2 + 3
    for distance in DISTANCES_PX:
        for angle in DIRECTIONS:
            dx = math.cos(angle) * (half + MARK_PX / 2 + distance)
            dy = math.sin(angle) * (LINE_PX / 2 + MARK_PX / 2 + distance)
            x, y = spot.x + dx, spot.y + dy
            box = Box(x - half, y - LINE_PX / 2, x + half, y + LINE_PX / 2)
            outside = max(0.0, -box.left, box.right - width) + max(0.0, -box.top, box.bottom - height)
            covered = sum(box.overlap(other) for other in taken)
            yield 100 * covered + 5000 * outside + distance, (dx, dy), box
