"""What the alignment of its pictures says about a rig, in words: good, doubtful or useless."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from leadline.hints.alignment import Alignment, Part

Severity = Literal["good", "unknown", "doubtful", "useless"]
Kind = Literal["rectified", "unknown", "same", "swapped", "verging", "misaligned", "irregular"]

GOOD_ROWS = 0.5
"""Pixels by which rows may differ (root mean square over the picture). On real streets 0.6 leaves
half as many again of the hints wrong or missing, 1.0 three times as many (benchmarks/rig_check.md).
"""
USELESS_ROWS = 1.5
"""From here on two in five of the hints and more are wrong or missing where it was 6 %."""
GOOD_SPREAD = 1.0
"""Pixels, robust, of matches about the fit: rectified pairs have 0.2 to 0.4."""
USELESS_SPREAD = USELESS_ROWS
WRONG_SIDE, RIGHT_SIDE = 0.8, 0.2
"""Shares of negative disparities from which sides are swapped, and up to which they are not:
rectified pairs have 0.02 and less, swapped ones 0.98 and more."""
LEAST_SIDED = 20
"""Matches with a clear disparity that tell the sides."""
SAME = 0.9
"""Share of unmoved features from which two pictures count as one; rectified pairs have 0.05."""

_TOLD = 0.4  # of dy: a smaller part of it is not worth its words
_PER_CENT = 100


@dataclass(frozen=True)
class Verdict:
    """A judgement in one plain sentence without a full stop: what was found, and what to change."""

    severity: Severity
    kinds: tuple[Kind, ...]
    text: str


def judge(alignment: Alignment | None, size: tuple[int, int], pairs: str) -> Verdict:
    """The verdict on a rig; `pairs` says in words what it was measured on.

    `size` is (h, w) of the pictures whose pixels are meant.
    """
    if alignment is None:
        text = (
            f"too few features match between left and right to tell whether the rig is rectified "
            f"({pairs}): little texture, small or dark pictures, or pictures of different places"
        )
        return Verdict("unknown", ("unknown",), text)
    evidence = f"{alignment.matches:,} feature matches in {pairs}"
    if alignment.still > SAME:
        text = (
            f"left and right show the same picture: {alignment.still:.0%} of {evidence} lie at the "
            "same place in both; give the pictures of both cameras"
        )
        return Verdict("useless", ("same",), text)
    kinds = _kinds(alignment)
    if not kinds:
        return Verdict("good", ("rectified",), _praise(alignment, size, evidence))
    found = "; ".join(_words(alignment, kinds, size))
    text = f"{found} ({evidence}); {_advice(kinds)}"
    return Verdict(_severity(alignment, kinds), kinds, text)


def _kinds(alignment: Alignment) -> tuple[Kind, ...]:
    kinds: list[Kind] = []
    if alignment.sided >= LEAST_SIDED and alignment.wrong_side > RIGHT_SIDE:
        kinds.append("swapped" if alignment.wrong_side >= WRONG_SIDE else "verging")
    if alignment.rows > GOOD_ROWS:
        kinds.append("misaligned")
    if alignment.spread > GOOD_SPREAD:
        kinds.append("irregular")
    return tuple(kinds)


def _severity(alignment: Alignment, kinds: tuple[Kind, ...]) -> Severity:
    return "useless" if "swapped" in kinds or _rows_useless(alignment) else "doubtful"


def _rows_useless(alignment: Alignment) -> bool:
    return alignment.rows > USELESS_ROWS or alignment.spread > USELESS_SPREAD


def _praise(alignment: Alignment, size: tuple[int, int], evidence: str) -> str:
    sides = (
        f", and {1 - alignment.wrong_side:.0%} of disparities have the right sign"
        if alignment.sided >= LEAST_SIDED
        else "; all is too far to tell the sides"
    )
    return (
        f"the rig is rectified: rows agree to {alignment.rows:.2f} px at {_size(size)}{sides} "
        f"({evidence})"
    )


def _words(alignment: Alignment, kinds: tuple[Kind, ...], size: tuple[int, int]) -> list[str]:
    share = f"{alignment.wrong_side:.0%} of disparities are negative"
    words = []
    if "swapped" in kinds:
        words.append(f"left and right look swapped: {share}")
    if "verging" in kinds:
        words.append(f"the cameras look towards each other: {share}, which is not searched")
    differ = []
    if "misaligned" in kinds:
        differ.append(f"by {alignment.rows:.1f} px (the right picture {describe(alignment)})")
    if "irregular" in kinds:
        differ.append(f"irregularly by {alignment.spread:.1f} px")
    if differ:
        how = "not" if _rows_useless(alignment) else "only roughly"
        at = f"at {_size(size)}, where {GOOD_ROWS} is good"
        words.append(f"pairs are {how} rectified: rows differ {' and '.join(differ)} {at}")
    return words


def _advice(kinds: tuple[Kind, ...]) -> str:
    exchange = ["exchange the pictures of the two cameras"] if "swapped" in kinds else []
    undo = ["undo lens distortion and expose both cameras at once"] if "irregular" in kinds else []
    rectify = ["rectify the pairs by the rig's calibration (OpenCV: stereoRectify)"]
    return ", then ".join([*exchange, *undo, *(rectify if kinds != ("swapped",) else [])])


def describe(alignment: Alignment) -> str:
    """What was done to the right picture, without the parts that hardly count."""
    lower = "lower" if alignment.offset > 0 else "higher"
    clockwise = "clockwise" if alignment.roll > 0 else "counter-clockwise"
    taller = "taller" if alignment.stretch > 0 else "shorter"
    words: Mapping[Part, str] = {
        "offset": f"lies {abs(alignment.offset):.1f} px {lower}",
        "roll": f"is turned {abs(alignment.roll):.2f} degrees {clockwise}",
        "stretch": f"is {abs(alignment.stretch) * _PER_CENT:.1f} % {taller}",
    }
    parts = alignment.parts
    told = [words[part] for part in words if parts[part] >= _TOLD * alignment.rows]
    return " and ".join(told)


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"
