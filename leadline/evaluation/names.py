"""Image ids as file names, and which prediction belongs to which truth."""

from collections import Counter
from collections.abc import Sequence
from urllib.parse import quote, unquote

NAMED_IN_ERRORS = 3
KITTI_WORDS = 3  # a line of a KITTI split: drive, frame, side


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


def short_name(image_id: str) -> str:
    """The frame of a KITTI line, else the last part of a path: by what other tools name files.

    >>> short_name("2011_09_26/2011_09_26_drive_0023_sync 0000000005 l"), short_name("left/0005")
    ('0000000005', '0005')
    """
    words = image_id.split(" ")
    if len(words) == KITTI_WORDS and words[-1] in ("l", "r"):
        return words[1]
    return image_id.rsplit("/", maxsplit=1)[-1]


def match_ids(truths: Sequence[str], others: Sequence[str], what: str) -> dict[str, str]:
    """For every truth the id among `others` that means the same image.

    Equal ids match. Otherwise a plain short name matches a longer id with that short name; two
    longer ids never match by their short names, for those forget the drive and the side.

    Raises:
        ValueError: a truth has no match, or more than one, or shares it with another truth. `what`
            names the others in the message.
    """
    matches = {truth: _candidates(truth, others) for truth in truths}
    missing = [truth for truth, found in matches.items() if not found]
    if missing:
        raise ValueError(
            f"expected {what} for every truth, got none for {len(missing)} of {len(truths)}: "
            f"{name_some(missing)}; there are {len(others)}, e.g. {name_some(others)}. "
            "Name the files as the truth's"
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


def _candidates(truth: str, others: Sequence[str]) -> list[str]:
    if truth in others:
        return [truth]
    short = short_name(truth)
    if truth != short:
        return [short] if short in others else []
    return [other for other in others if short_name(other) == truth]
