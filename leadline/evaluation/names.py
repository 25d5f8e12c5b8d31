"""Image ids as file names, and which prediction belongs to which truth."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

NAMED_IN_ERRORS = 3
KITTI_LINE = re.compile(r"(?P<drive>.+?) +(?P<frame>\d+) +(?P<side>[lr])")
"""Of a split file."""
KITTI_PATH = re.compile(r"(?:(?:(?P<drive>.+)/)?image_0(?P<side>[23])/)?(?:data/)?(?P<frame>\d+)")
"""Of an image within the tree of KITTI raw or below, or of what mirrors it."""
KITTI_TRUTH = re.compile(
    r"(?:(?:train|val)/)?(?:(?!proj_depth/)(?P<drive>.+?)/)?(?:proj_depth/)?"
    r"(?:groundtruth|velodyne|velodyne_raw|exact)/image_0(?P<side>[23])/(?P<frame>\d+)"
)
"""Of a depth map within the tree of KITTI's depth benchmark, where drives have no date's folder."""
SIDES = {"l": "l", "r": "r", "2": "l", "3": "r", None: ""}


def id_to_stem(image_id: str) -> str:
    """An id as a file name without suffix that every file system takes, and that reads back.

    `/` becomes `=`, a space `+`, anything else but letters, digits and `_.-~` is percent-encoded.

    >>> id_to_stem("2011_09_26/2011_09_26_drive_0023_sync 0000000005 l")
    '2011_09_26=2011_09_26_drive_0023_sync+0000000005+l'
    """
    stem = quote(image_id, safe="/ ").replace("/", "=").replace(" ", "+")
    return "%2E" + stem[1:] if stem.startswith(".") else stem


def stem_to_id(stem: str) -> str:
    """The inverse of `id_to_stem`; a plain stem is its own id.

    >>> stem_to_id("0000000005")
    '0000000005'
    """
    return unquote(stem.replace("=", "/").replace("+", " "))


def match_ids(truths: Sequence[str], others: Mapping[str, Path], what: str) -> dict[str, str]:
    """For every truth the id among `others` that means the same image.

    Equal ids match. Else those that read as one and the same image do, be it as a line of a KITTI
    split or as a path of its trees, whatever zeros stand before a number: `drive 5 l` is
    `drive/image_02/data/0000000005` and `drive/proj_depth/groundtruth/image_02/0000000005`. Else
    those of which one leaves out what the other says: `0000000005` alone is any drive and any side,
    so that it matches both.

    Raises:
        ValueError: a truth has no match, or more than one, or shares it with another truth. `what`
            names the others in the message.
    """
    by_frame: dict[str, list[tuple[str, _Image]]] = defaultdict(list)
    for other in others:
        image = _Image.parse(other)
        by_frame[image.frame].append((other, image))
    matches = {truth: _candidates(truth, by_frame) for truth in truths}
    missing = [truth for truth, found in matches.items() if not found]
    if missing and len(missing) == len(truths):
        raise ValueError(
            f"expected {what} for every truth, got none for any: the first truth is "
            f"{missing[0]!r}, the first file {next(iter(others.values()), None)}; name the files "
            "as the truth's or by their frame numbers"
        )
    if missing:
        raise ValueError(
            f"expected {what} for every truth, got none for {len(missing)} of {len(truths)}: "
            f"{name_some(missing)}; there are {len(others)}, e.g. {name_some(list(others))}. "
            "Name the files as the truth's, or finish what was interrupted"
        )
    for truth, found in matches.items():
        if len(found) > 1:
            raise ValueError(
                f"expected {what} for {truth!r}, got {len(found)}: {name_some(found)}; "
                "name the files by full ids"
            )
    chosen = {truth: found[0] for truth, found in matches.items()}
    shared = [other for other, uses in Counter(chosen.values()).items() if uses > 1]
    if shared:
        raise ValueError(
            f"expected {what} for each truth of its own, got one for several: {name_some(shared)}; "
            "name the files by full ids"
        )
    return chosen


def name_some(ids: Sequence[str]) -> str:
    """The first three, quoted, and a sign that there are more.

    >>> name_some(["a", "b", "c", "d"])
    "'a', 'b', 'c', ..."
    """
    named = [repr(image_id) for image_id in ids[:NAMED_IN_ERRORS]]
    return ", ".join([*named, "..."] if len(ids) > NAMED_IN_ERRORS else named)


@dataclass(frozen=True)
class _Image:
    """What an id says: the folders of its sequence, its frame, and, if it is KITTI's, its side."""

    folders: tuple[str, ...]
    frame: str
    side: str = ""

    @classmethod
    def parse(cls, image_id: str) -> "_Image":
        forms = (KITTI_LINE, KITTI_TRUTH, KITTI_PATH)
        found = next(filter(None, (form.fullmatch(image_id) for form in forms)), None)
        if found is not None:
            drive = tuple(found["drive"].split("/")) if found["drive"] else ()
            return cls(drive, str(int(found["frame"])), SIDES[found["side"]])
        *folders, stem = image_id.split("/")
        return cls(tuple(folders), str(int(stem)) if stem.isdecimal() else stem)

    def may_be(self, other: "_Image") -> bool:
        """Whether nothing that both say differs; the frames are equal."""
        sides = {self.side, other.side} - {""}
        depth = min(len(self.folders), len(other.folders))
        ends = [image.folders[len(image.folders) - depth :] for image in (self, other)]
        return len(sides) < 2 and ends[0] == ends[1]


def _candidates(truth: str, by_frame: Mapping[str, list[tuple[str, _Image]]]) -> list[str]:
    image = _Image.parse(truth)
    images = by_frame.get(image.frame, [])
    equal = [other for other, _ in images if other == truth]
    same = [other for other, found in images if found == image]
    return equal or same or [other for other, found in images if image.may_be(found)]
