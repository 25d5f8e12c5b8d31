"""What of a run's configuration is another than when it began, and what of that may be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from leadline.training.overrides import EXTRACTOR
from leadline.training.recipe import completed

MAY_CHANGE = frozenset(
    {
        *("run.epochs", "run.steps", "run.accelerator", "run.devices", "run.nodes"),
        *("run.loggers", "run.log_every", "run.checkpoint_every", "run.pictures_every"),
        *("data.workers", "data.cache", "data.batch_size"),
    }
)
"""Settings that a resumed run may be given anew: they end it later, run it elsewhere or only watch
it. Devices and batch size only together: as many images a batch as before."""
PLACES = frozenset(
    {
        *("data.source.init_args.root", "data.hints", "data.train_split", "data.val_split"),
        *("data.source.init_args.folder", "data.source.init_args.depth_folder"),
        *(f"{EXTRACTOR}.trained", f"{EXTRACTOR}.backbone"),
    }
)
"""Where the data stand, and the trained network whose features are compared: they may have been
moved, or be spelt otherwise. What the latter was is in the resume point."""


@dataclass(frozen=True)
class Change:
    """A setting that was another when the run began."""

    name: str
    before: Any
    now: Any

    @property
    def is_move(self) -> bool:
        """Whether the data are looked for elsewhere; what was not given had no place."""
        return self.name in PLACES and self.before is not None and self.now is not None

    @property
    def is_allowed(self) -> bool:
        """Whether a resumed run may be given this setting anew."""
        return self.name in MAY_CHANGE or self.is_move

    def __str__(self) -> str:
        return f"{self.name} was {self.before}, now {self.now}"


def changes(old: str, new: str) -> list[Change]:
    """The settings in which two configurations differ, given as YAML.

    What the old one does not say, because its version could not, had the default of today. What the
    new one cannot say any more is no change where it was switched off.
    """
    latest = yaml.safe_load(new)
    before, now = _flat(_filled(yaml.safe_load(old), latest)), _flat(latest)
    return [
        Change(name, before.get(name), now.get(name))
        for name in {**before, **now}
        if before.get(name) != now.get(name) and (name in now or before[name] is not False)
    ]


def _filled(old: Any, new: Any) -> Any:
    """The old configuration, with the defaults of what only the new one says."""
    said_by_both = _restricted(new, old)
    try:
        return _with_defaults(old, completed(said_by_both))
    except ValueError:
        # Another class, whose arguments the old configuration cannot know: no default is missing.
        return old


def _restricted(values: Any, known: Any) -> Any:
    """`values` without the keys that are not `known`."""
    if isinstance(values, Mapping) and isinstance(known, Mapping):
        return {key: _restricted(values[key], known[key]) for key in values if key in known}
    if _are_alike(values, known):
        return [_restricted(*pair) for pair in zip(values, known, strict=True)]
    return values


def _with_defaults(values: Any, defaults: Any) -> Any:
    """`values`, and from `defaults` the keys that they lack."""
    if isinstance(values, Mapping) and isinstance(defaults, Mapping):
        own = {key: _with_defaults(item, defaults.get(key)) for key, item in values.items()}
        return {**defaults, **own}
    if _are_alike(values, defaults):
        return [_with_defaults(*pair) for pair in zip(values, defaults, strict=True)]
    return values


def _are_alike(first: Any, second: Any) -> bool:
    return isinstance(first, list) and isinstance(second, list) and len(first) == len(second)


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(values, Mapping):
        return {prefix: values}
    items = ((f"{prefix}.{key}" if prefix else str(key), item) for key, item in values.items())
    return {name: leaf for key, item in items for name, leaf in _flat(item, key).items()}
