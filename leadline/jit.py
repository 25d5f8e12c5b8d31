"""Compiles numeric loops for CPUs (numba), kept on disk where there is a place for it.

A compiled function is also marked `no_type_check`, directly below: a run-time check of its
arguments, as the tests install for the whole package, would not compile.
"""

from collections.abc import Callable
from typing import Any

import numba

_FAST = {"contract", "reassoc", "nsz", "arcp"}
"""Lets the compiler fuse, reorder and vectorise; NaN and infinity keep their meaning."""


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` compiled on first use, with the arithmetic in the order in which it is written."""
    return _compiled(function)


def compiled_fast(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` compiled on first use; sums may be reordered, so that loops run in vectors."""
    return _compiled(function, fastmath=_FAST)


def _compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    settings: dict[str, Any] = {"nogil": True, "error_model": "numpy", **options}
    try:
        kept: Callable[..., Any] = numba.njit(cache=True, **settings)(function)
    except RuntimeError:
        # Neither the package's folder nor the user's can be written: compile in every process.
        kept = numba.njit(**settings)(function)
    return kept
