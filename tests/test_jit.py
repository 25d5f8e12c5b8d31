"""Compilation does not depend on a writable disk."""

from typing import Any

import numba
import pytest

from leadline.jit import compiled


def test_compiles_without_a_place_for_its_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    njit = numba.njit

    def on_a_read_only_system(*functions: Any, **options: Any) -> Any:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available for file")
        return njit(*functions, **options)

    monkeypatch.setattr(numba, "njit", on_a_read_only_system)
    double_it = compiled(lambda x: 2 * x)
    assert double_it(21) == 42
