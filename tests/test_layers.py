"""A file imports only from rooms above its own."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "leadline"
ROOMS = (
    *(
        "offset",
        "types",
        "files",
        "jit",
        "memory",
        "workers",
        "cluster",
        "recipes",
        "geometry",
        "photometry",
        "metrics",
        "colour",
        "report",
    ),
    *("data", "hints", "networks", "synthesis", "losses", "training", "inference", "evaluation"),
    *("demo", "cli", "__main__"),
)
MAXIMUM_LINES = 400


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imported_rooms(path: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: write imports in full"
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {room_of(module) for module in modules if module.startswith("leadline.")}


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_upwards(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own == "__init__":
        assert not imported_rooms(path) - {"__version__"}
        return
    allowed = {*ROOMS[: ROOMS.index(own) + 1], "__version__"}
    assert imported_rooms(path) <= allowed, f"{own} may import only {sorted(allowed)}"


def test_no_file_has_a_second_job() -> None:
    everything = [
        *FILES,
        *(PACKAGE.parent / "tests").rglob("*.py"),
        *(PACKAGE.parent / "benchmarks").rglob("*.py"),
    ]
    lines = {
        str(path.relative_to(PACKAGE.parent)): len(path.read_text().splitlines())
        for path in everything
    }
    assert len(lines) == len(everything)
    assert {name: count for name, count in lines.items() if count > MAXIMUM_LINES} == {}


def test_only_the_warp_samples() -> None:
    users = [path.name for path in FILES if "grid_sample(" in path.read_text()]
    assert users == ["warp.py"]
