"""One complete YAML file per published method, and how to find them."""

import difflib
from importlib import resources
from pathlib import Path

SUFFIX = ".yaml"


def recipe_names() -> list[str]:
    """The recipes that come with the package."""
    entries = resources.files(__name__).iterdir()
    return sorted(e.name.removesuffix(SUFFIX) for e in entries if e.name.endswith(SUFFIX))


def recipe_text(recipe: str) -> str:
    """The text of a recipe of the package by its name, or of a file by its path.

    Raises:
        ValueError: it is neither; names the nearest recipe.
    """
    if recipe in recipe_names():
        return resources.files(__name__).joinpath(recipe + SUFFIX).read_text(encoding="utf-8")
    path = Path(recipe)
    if path.is_file():
        return path.read_text(encoding="utf-8")
    near = difflib.get_close_matches(recipe, recipe_names(), n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(recipe_names())}"
    raise ValueError(f"recipe: expected a name or a YAML file, got {recipe!r}; {hint}")
