"""What is installed is whole: the wheel runs outside the checkout, its recipes included."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("build", reason="the package `build` makes wheels; `make setup` installs it")
ROOT = Path(__file__).parents[1]


def test_the_wheel_runs_elsewhere(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(tmp_path), "."],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("leadline-*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    recipes = {path.name for path in (ROOT / "leadline/recipes").glob("*.yaml")}
    assert recipes == {path.name for path in (installed / "leadline/recipes").glob("*.yaml")}
    # The checkout is installed too, for development: the wheel's own package must come first.
    program = (
        "import leadline, sys; print(leadline.__file__); from leadline.cli import main; main()"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program, "recipes", "depth_hints_s"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert printed.splitlines()[0] == str(installed / "leadline/__init__.py")
    assert (ROOT / "leadline/recipes/depth_hints_s.yaml").read_text() in printed
