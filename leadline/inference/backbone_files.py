"""What the names of a model's backbones meant when it was trained, kept beside its weights.

A backbone is named by a folder, a hub id or a preset, and any of these may be gone or have changed
where the model is used. `depth.backbone.json` holds the architecture of what `config.yaml` names
`backbone` under `depth`, as a config.json of transformers.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from torch import nn

from leadline.files import atomic_path
from leadline.networks.backbone import Backbone

ARGUMENT = "backbone"
"""By which networks take the name of one."""
_FILES = f"*{ARGUMENT}.json"


def write_backbones(predictor: nn.Module, config: Mapping[str, Any], folder: Path) -> None:
    """Write the architecture of each backbone that the predictor's configuration names; files of
    an earlier model are removed.
    """
    by_name = {
        module.name: module.architecture()
        for module in predictor.modules()
        if isinstance(module, Backbone)
    }
    # Of a model that was loaded, they are named by the files in its former folder.
    by_file = {Path(name).name: text for name, text in by_name.items()}
    kept = set()
    for file, arguments in _places(config):
        text = by_name.get(arguments[ARGUMENT]) or by_file.get(file)
        if text is not None:
            kept.add(folder / file)
            with atomic_path(folder / file) as temporary:
                temporary.write_text(text, encoding="utf-8")
    for path in set(folder.glob(_FILES)) - kept:
        path.unlink()


def with_kept_backbones(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A copy of a predictor's configuration whose backbones are those that `folder` keeps; one that
    it does not keep is named as before.
    """
    copy = deepcopy(dict(config))
    for file, arguments in _places(copy):
        path = folder / file
        if path.is_file():
            arguments[ARGUMENT] = str(path.resolve())
    return copy


def _places(values: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Arguments that name a backbone, each with the file that is for it."""
    if not isinstance(values, Mapping):
        return
    if isinstance(values, dict) and isinstance(values.get(ARGUMENT), str):
        yield f"{place}{ARGUMENT}.json", values
    for key, value in values.items():
        yield from _places(value, place if key == "init_args" else f"{place}{key}.")
