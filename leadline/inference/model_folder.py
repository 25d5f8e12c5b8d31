"""A trained model as one folder: `model.safetensors`, `config.yaml`, the architecture of each
backbone, and a card for people. It is all that prediction needs.

Nothing is unpickled: weights are safetensors, and the configuration names the classes to build.
"""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError, ArgumentParser
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from leadline.files import atomic_path
from leadline.inference.backbone_files import with_kept_backbones, write_backbones
from leadline.networks.trained_part import RUN_MODEL
from leadline.synthesis.predict import FeatureLearning

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.yaml", "README.md"
INITIAL = ("weights", "trained")
"""Arguments of networks that say what they start from."""
FORMAT = 2
"""Of the configuration; a later one that cannot be read as this one counts up."""


@dataclass(frozen=True)
class ModelConfig:
    """What must be known of a network to use it."""

    predictor: Mapping[str, Any]
    """`class_path` and `init_args`."""
    size: tuple[int, int]
    """(h, w) at which it sees whole pictures; training may have shown windows of them."""
    unit: float
    """Metres per network unit."""
    metric: bool
    """Whether a stereo pair, a speed or a pose gave the scale."""
    recipe: str = ""
    data: str = ""
    """What it was trained and validated on, by names and counts."""
    focal: float | None = None
    """Focal length of the training cameras as a share of the image's width (the median)."""
    baseline: float | None = None
    """Metres between the cameras of the training rig (the median)."""
    steps: int = 0
    crop_bottom: float = 0.0
    """Share of each picture's height, at its bottom, that the network was not shown."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """How it was trained, for those who go on training it: `frames`, `hand_held`, `explainer`,
    `objective` and `groups`; empty where an older version wrote the folder."""
    format: int = FORMAT
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Of the last validation."""


USE_OF_DEPTH = """```python
from leadline.inference.predictor import DepthPredictor
model = DepthPredictor.load("model")  # this folder
depth = model("photograph.jpg")  # float32 array, h x w
```
"""
USE_OF_FEATURES = """```
leadline train featdepth_ms DATA --extractor model --out RUN  # this folder
```
"""


def save_model(predictor: nn.Module, config: ModelConfig, folder: Path) -> None:
    """Write the folder; each file appears whole, and the configuration last."""
    state = {
        name: tensor.detach().cpu().contiguous() for name, tensor in predictor.state_dict().items()
    }
    with atomic_path(folder / CARD) as temporary:
        temporary.write_text(_card(config, predictor), encoding="utf-8")
    write_backbones(predictor, config.predictor, folder)
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file(state, temporary)
        # The writer of safetensors lets nobody else read what it writes.
        shutil.copymode(folder / CARD, temporary)
    with atomic_path(folder / CONFIG) as temporary:
        values = asdict(config) | {"size": list(config.size)}
        temporary.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def read_config(folder: Path) -> ModelConfig:
    """The configuration of a model folder.

    Raises:
        FileNotFoundError: the folder is not there, or is no model.
        ValueError: the configuration cannot be read by this version.
    """
    path = folder / CONFIG
    if not path.is_file() or not (folder / WEIGHTS).is_file():
        raise FileNotFoundError(
            f"{folder}: expected a model folder with {WEIGHTS} and {CONFIG}; {_advice(folder)}"
        )
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        newer = values["format"] > FORMAT
        if not newer and not _is_number(values["unit"]):
            raise TypeError(f"the unit {values['unit']!r} instead of a number of metres")
        if not newer and not _is_number(values.get("crop_bottom", 0)):
            raise TypeError(f"crop_bottom {values['crop_bottom']!r} instead of a share")
        config = None if newer else ModelConfig(**(values | {"size": tuple(values["size"])}))
    except (yaml.YAMLError, TypeError, KeyError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: expected the configuration of a model, got {reason}") from None
    if config is None:
        raise ValueError(
            f"{path}: format {values['format']} is newer than this version of leadline reads "
            f"({FORMAT}); upgrade leadline"
        )
    if not _is_size(config.size) or not config.unit > 0:
        raise ValueError(
            f"{path}: expected a size of two whole numbers (h, w) and a positive unit, got "
            f"{list(config.size)} and {config.unit}; copy or train the model again"
        )
    return config


def _advice(folder: Path) -> str:
    inside = folder / RUN_MODEL
    if (inside / CONFIG).is_file():
        return f"did you mean {inside}?"
    return "`leadline train` writes one as RUN/model"


def _is_size(size: tuple[Any, ...]) -> bool:
    return len(size) == 2 and all(isinstance(side, int) and side > 0 for side in size)


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float)


def build_predictor(config: Mapping[str, Any]) -> nn.Module:
    """The predictor that a configuration describes, its weights not loaded from anywhere.

    Raises:
        ValueError: a class or an argument does not exist in this version.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--predictor", type=nn.Module)
    try:
        parsed = parser.parse_object({"predictor": _without_weights(config)})
    except ArgumentError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise ValueError(
            f"predictor: {reason}; the model was made by another version of leadline or with code "
            "that is not installed here"
        ) from None
    predictor: nn.Module = parser.instantiate(parsed).predictor
    return predictor


def load_predictor(folder: Path) -> tuple[nn.Module, ModelConfig]:
    """The trained predictor in evaluation mode, and what there is to know of it.

    Backbones are built as the folder says, whatever their names mean here and now.

    Raises:
        FileNotFoundError: the folder is not there, or is no model.
        ValueError: weights and configuration do not belong together.
    """
    config = read_config(folder)
    try:
        predictor = build_predictor(with_kept_backbones(config.predictor, folder))
    except ValueError as error:
        raise ValueError(f"{folder / CONFIG}: {error}") from None
    load_weights(predictor, folder)
    return predictor.eval(), config


def load_weights(predictor: nn.Module, folder: Path) -> None:
    """Load the weights of a model folder into a predictor of the same architecture.

    Raises:
        FileNotFoundError: there are no weights.
        ValueError: they are those of another network; names the first that do not fit.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a model folder's weights; {_advice(folder)}")
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path}: damaged ({error}); copy or train it again") from None
    own = predictor.state_dict()
    wrong = [
        name
        for name in sorted(own.keys() | state.keys())
        if name not in own or name not in state or own[name].shape != state[name].shape
    ]
    if wrong:
        raise ValueError(
            f"{path}: weights of another network; {len(wrong)} of {len(own)} tensors do not fit, "
            f"first {wrong[0]}; use the recipe that the model was trained with"
        )
    predictor.load_state_dict(state)


def fingerprint(folder: Path) -> str:
    """A short name of the weights, the same for the same bytes."""
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    return digest[:12]


def _without_weights(config: Any) -> Any:
    """A copy in which no backbone fetches initial weights: the trained ones are about to come."""
    if isinstance(config, Mapping):
        return {k: "none" if k in INITIAL else _without_weights(v) for k, v in config.items()}
    return config


def _card(config: ModelConfig, predictor: nn.Module) -> str:
    parameters = sum(parameter.numel() for parameter in predictor.parameters())
    height, width = config.size
    scale = (
        "none: it learns features"
        if isinstance(predictor, FeatureLearning)
        else f"metres, for cameras of about the same focal length ({config.focal:.3f} x width)"
        if config.metric and config.focal is not None
        else "metres"
        if config.metric
        else "arbitrary: right up to one unknown factor"
    )
    seen = f", the upper {1 - config.crop_bottom:.0%} of pictures" if config.crop_bottom else ""
    figures = "\n".join(f"| {name} | {value:.4f} |" for name, value in config.metrics.items())
    table = f"\n| validation | |\n|---|---|\n{figures}\n" if figures else ""
    usage = USE_OF_FEATURES if isinstance(predictor, FeatureLearning) else USE_OF_DEPTH
    return f"""# {config.recipe or "A Leadline model"}

- Recipe: `{config.recipe}`, {config.steps} steps
- Data: {config.data or "not named"}
- Network: `{config.predictor.get("class_path", "")}`, {parameters:,} parameters
- Input: RGB, trained at {width}x{height}{seen}
- Depth: {scale}
- Metric: {"yes" if config.metric else "no"}; metres per network unit: {config.unit:g}
- Rig: {"mono" if config.baseline is None else f"stereo, baseline {config.baseline:g} m"}
{table}
The validation figures are a quick look at training size; `leadline evaluate` scores by protocol.
Weights keep the terms of the data that they were trained on.

{usage}"""
