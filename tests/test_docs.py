"""What the documentation shows, runs."""

import importlib
import re
import runpy
import sys
import tokenize
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from worlds import hints_of, write_stereo_folder

import leadline.losses
from leadline.recipes import recipe_names, recipe_text
from leadline.training.recipe import build, read_recipe

REPOSITORY = Path(__file__).resolve().parents[1]
TUTORIAL = "docs/adding_a_loss.md"
CITATION = r"(?<![\w\])])\[([a-z][a-z0-9-]{2,})\](?![\[(])"
"""A key in brackets that is neither an index, nor a type, nor a link."""


def blocks(page: str, language: str) -> list[str]:
    text = (REPOSITORY / page).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.S)


@pytest.fixture
def added_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The tutorial's file, importable as if it lay among the others."""
    source, _ = blocks(TUTORIAL, "python")
    (tmp_path / "range.py").write_text(source)
    monkeypatch.setattr(leadline.losses, "__path__", [*leadline.losses.__path__, str(tmp_path)])
    yield importlib.import_module("leadline.losses.range")
    del sys.modules["leadline.losses.range"]
    delattr(leadline.losses, "range")


def test_the_test_of_the_tutorial_passes(added_loss: ModuleType, tmp_path: Path) -> None:
    _, source = blocks(TUTORIAL, "python")
    (tmp_path / "test_range.py").write_text(source)
    contents = runpy.run_path(str(tmp_path / "test_range.py"))
    tests = [value for name, value in contents.items() if name.startswith("test_")]
    assert len(tests) == source.count("def test_") > 0
    for test in tests:
        test()


def test_the_recipe_of_the_tutorial_is_built(added_loss: ModuleType, tmp_path: Path) -> None:
    recipe = yaml.safe_load(recipe_text("depth_hints_s"))
    (shown,) = blocks(TUTORIAL, "yaml")
    recipe["model"] |= yaml.safe_load(shown)["model"]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(recipe))
    world = write_stereo_folder(tmp_path / "world", count=2, size=(16, 32))
    source = {
        "class_path": "leadline.data.sources.folder.ImageFolder",
        "init_args": {"root": str(world)},
    }
    given = {"data": {"source": source, "hints": str(hints_of(world))}}
    offline = ["--model.predictor.init_args.depth.init_args.weights=none"]
    _, module, _ = build(read_recipe(str(tmp_path / "mine.yaml"), given, offline))
    objective = module.objective
    assert isinstance(objective.terms["range"], added_loss.HintRange)
    assert set(objective.terms) == {"reprojection", "range"}
    added = objective.weighted["range"]
    assert (added.weight, added.start_step) == (0.1, 1000)


def test_the_readme_names_recipes_that_exist_and_files_that_are_there() -> None:
    text = (REPOSITORY / "README.md").read_text()
    names = set(
        re.findall(
            r"`((?:monodepth2|depth_hints|packnet|featdepth|dfr|unet|eigen|fcrn|bts|dorn)_[a-z0-9_]+)`",
            text,
        )
    )
    assert names <= set(recipe_names())
    links = re.findall(r"\]\(([^)#]+)\)", text)
    missing = [link for link in links if "://" not in link and not (REPOSITORY / link).exists()]
    assert not missing


def test_documents_link_to_files_that_are_there() -> None:
    for page in (*REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("benchmarks/*.md")):
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert "://" in link or (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_work_that_is_cited_is_listed() -> None:
    page = (REPOSITORY / "docs/references.md").read_text()
    known = set(re.findall(r"^\| `\[([\w-]+)\]`", page, re.MULTILINE))
    cited = {
        key
        for file in (REPOSITORY / "leadline").rglob("*.py")
        for token in tokenize.generate_tokens(StringIO(file.read_text()).readline)
        if token.type == tokenize.STRING and token.string.startswith('"""')
        for key in re.findall(CITATION, token.string)
    }
    assert {"monodepth2", "depth-hints", "dpt"} <= cited <= known
