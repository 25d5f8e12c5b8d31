"""What sequences of a data set lack, in words: one line for each kind, with names and counts."""

from collections.abc import Callable, Iterable, Sequence

_NAMES_SHOWN = 3


def lacking(
    checks: Iterable[tuple[str, Callable[[str], bool]]], sequences: Sequence[str], noun: str
) -> tuple[str, ...]:
    """A line for each check that holds of some sequence.

    >>> lacking([("no depth", lambda name: name < "c")], ["a", "b", "c"], "drives")
    ('no depth in 2 of 3 drives (a, b)',)
    """
    found = [(text, [name for name in sequences if is_so(name)]) for text, is_so in checks]
    return tuple(
        f"{text} in {len(names)} of {len(sequences)} {noun} ({shortened(names)})"
        for text, names in found
        if names
    )


def shortened(names: Sequence[str]) -> str:
    """The first three, and how many more there are."""
    shown = ", ".join(names[:_NAMES_SHOWN])
    rest = len(names) - _NAMES_SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown
