"""What measures the package knows it as it is."""

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_a_benchmark_finds_what_it_measures(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Last on the path: one of them bears the name of a package of these tests.
    monkeypatch.setattr(sys, "path", [*sys.path, str(FOLDER)])
    spec = importlib.util.spec_from_file_location(f"benchmark_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
