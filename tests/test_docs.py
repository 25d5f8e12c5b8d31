"""What the documentation shows, runs."""

import re
from pathlib import Path
from typing import Any

import torch
import yaml
from scenes import plane_batch, predictions_of

from leadline.losses.term import Term
from leadline.recipes import recipe_names
from leadline.synthesis.errors import Explainer
from leadline.types import Scene

REPOSITORY = Path(__file__).resolve().parents[1]


def blocks(page: str, language: str) -> list[str]:
    text = (REPOSITORY / page).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.S)


def test_the_loss_of_the_tutorial_works_and_is_named_by_its_yaml() -> None:
    source, *_ = blocks("docs/adding_a_loss.md", "python")
    module: dict[str, Any] = {}
    exec(source, module)  # the tutorial's own code
    term: Term = module["HintRange"]()
    batch = plane_batch()
    assert batch.hint is not None
    batch.hint[1] = 0
    near, right = (
        Scene(batch, predictions, Explainer()(batch, predictions, ()))
        for predictions in (predictions_of(batch, 7.0), predictions_of(batch, 10.0))
    )
    assert term(right).mean() == 0
    # One image of two has hints; 3 m too near is 0.6 units of 5 m.
    torch.testing.assert_close(term(near).mean(), torch.tensor(0.3))
    recipe = yaml.safe_load(blocks("docs/adding_a_loss.md", "yaml")[0])
    assert "HintRange" in str(recipe["model"]["objective"]["range"])


def test_the_readme_names_recipes_that_exist_and_files_that_are_there() -> None:
    text = (REPOSITORY / "README.md").read_text()
    names = set(re.findall(r"`((?:monodepth2|depth_hints)_[a-z0-9_]+)`", text))
    assert names <= set(recipe_names())
    links = re.findall(r"\]\(([^)#]+)\)", text)
    missing = [link for link in links if "://" not in link and not (REPOSITORY / link).exists()]
    assert not missing


def test_documents_link_to_files_that_are_there() -> None:
    for page in (*REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("benchmarks/*.md")):
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert "://" in link or (page.parent / link).exists(), f"{page.name}: {link}"
