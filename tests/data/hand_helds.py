"""Hand-held cameras that the tests share: a walk through a room, and what is chosen of it."""

from typing import Any

from data.rooms import walk

from leadline.data.hand_held import HandHeld
from leadline.offset import Offset

BEFORE, AFTER = Offset(-1), Offset(1)
BOTH = (BEFORE, AFTER)
COUNT = 10
WALK = walk(COUNT)
ENOUGH = HandHeld("pictures", least_parallax=16.0, most_parallax=60.0, reach=4)
"""Of `WALK`, which has some 6 from frame to frame."""
ANY = HandHeld("pictures")
USUAL = HandHeld("pictures", least_parallax=4.0, most_parallax=24.0, reach=2)
SMALL: dict[str, Any] = {"height": 96, "width": 128, "workers": 0, "frames": [0, -1, 1]}
