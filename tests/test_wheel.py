"""What is installed is whole: the wheel's own command works where there is no checkout."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("build", reason="the package `build` makes wheels; `make setup` installs it")
ROOT = Path(__file__).parents[1]
Command = Callable[..., str]


def run(*words: object, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that pip has installed the wheel into, without its dependencies."""
    wheels, target = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("installed")
    run(
        *(sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", wheels, "."),
        cwd=ROOT,
    )
    (wheel,) = wheels.glob("leadline-*.whl")
    run(
        *(sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--no-compile"),
        *("--disable-pip-version-check", "--target", target, wheel),
        cwd=wheels,
    )
    return target


@pytest.fixture
def leadline(installed: Path, tmp_path: Path) -> Command:
    """The installed command, run in an empty folder."""

    # The checkout is installed too, for development: the wheel's own package must come first.
    def command(*words: object) -> str:
        script = installed / "bin" / "leadline"
        return run(script, *words, cwd=tmp_path, PYTHONPATH=str(installed))

    return command


def test_the_command_is_that_of_the_wheel(installed: Path, tmp_path: Path) -> None:
    program = "import leadline.cli; print(leadline.cli.__file__)"
    found = run(sys.executable, "-c", program, cwd=tmp_path, PYTHONPATH=str(installed))
    assert Path(found.strip()) == installed / "leadline" / "cli" / "__init__.py"


def test_every_file_of_the_package_is_there(installed: Path) -> None:
    def files(package: Path) -> set[str]:
        found = (path for path in package.rglob("[!.]*") if path.is_file())
        return {str(path.relative_to(package)) for path in found if "__pycache__" not in path.parts}

    assert files(installed / "leadline") == files(ROOT / "leadline")


def test_recipes_come_along(leadline: Command) -> None:
    recipes = {path.stem: path.read_text() for path in (ROOT / "leadline/recipes").glob("*.yaml")}
    listed = leadline("recipes")
    assert all(name in listed for name in recipes)
    assert leadline("recipes", "depth_hints_s") == recipes["depth_hints_s"]


def test_a_report_has_its_style_and_its_script(leadline: Command, tmp_path: Path) -> None:
    for folder, factor in (("predicted", 1.25), ("true", 1.0)):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "a.npy", np.full((20, 30), 4 * factor, np.float32))
    printed = leadline(
        *("evaluate", "--predictions", "predicted", "--truth", "true"),
        *("--protocol", "none", "--out", "scores"),
    )
    assert "0.25" in printed
    page = (tmp_path / "scores" / "report.html").read_text(encoding="utf-8")
    for name in ("style.css", "sort.js"):
        assert (ROOT / "leadline" / "report" / name).read_text(encoding="utf-8") in page
