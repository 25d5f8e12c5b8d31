"""Every recipe is complete, is built as it says, and takes a step in which everything learns."""

import json
from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from jsonargparse import ArgumentParser, Namespace
from scenes import NEXT, plane_batch
from torch import nn

from leadline.offset import STEREO, Offset
from leadline.recipes import recipe_names, recipe_text
from leadline.training.module import DepthTraining
from leadline.training.recipe import as_yaml, read_recipe, recipe_parser
from leadline.training.step import training_step
from leadline.training.supply import supplied_by_predictor
from leadline.types import Batch

SOURCE = {"class_path": "leadline.data.sources.folder.ImageFolder", "init_args": {"root": "photos"}}
SMALL = ["--data.height=64", "--data.width=96", "--data.batch_size=2"]
OFFLINE = "--model.predictor.init_args.depth.init_args.weights=none"
NARROW = [
    "--model.predictor.init_args.depth.init_args.widths=[16,16,16,32,32]",
    "--model.predictor.init_args.depth.init_args.features=4",
]
"""A two hundredth of PackNet's parameters."""
OFFLINE_POSE = "--model.predictor.init_args.pose.init_args.weights=none"


EXTRACTOR = "--model.predictor.init_args.extractor.init_args"


SUPERVISED = "--model.predictor.init_args.depth.init_args"


def config_of(name: str, *overrides: str) -> Namespace:
    text = recipe_text(name)
    offline = (
        [*NARROW] if "packnet.PackNet" in text else [OFFLINE] if "      depth:\n" in text else []
    )
    if any(f"{each}\n" in text for each in ("DispNet", "MonodepthNetwork", "GargNetwork")):
        offline = []
    if "eigen.EigenNetwork" in text:
        offline = [f"{SUPERVISED}.size=[64,96]"]
    large = any(f"backbone: {each}\n" in text for each in ("resnet50", "resnet101"))
    if large and "frames: [0]\n" in text and OFFLINE in offline:
        offline.append(f"{SUPERVISED}.backbone=resnet18")
    if "ResNetPose" in text:
        offline.append(OFFLINE_POSE)
    if "banet.BANet" in text:
        offline = ["--model.predictor.init_args.weights=none"]
    if "extractor:" in text:
        start = "trained" if "trained:" in text else "weights"
        offline += [f"{EXTRACTOR}.{start}=none", f"{EXTRACTOR}.backbone=resnet18"]
    return read_recipe(name, {"data": {"source": SOURCE}}, [*offline, *overrides])


def built(name: str) -> DepthTraining:
    parser = ArgumentParser()
    parser.add_class_arguments(DepthTraining, "model")
    model: DepthTraining = parser.instantiate(Namespace(model=config_of(name).model)).model
    return model


def batch_for(data: dict[str, Any], motion: bool = False) -> Batch:
    """A batch as the recipe's data ask for: the stereo pose known, motion if it is asked for."""
    sources = tuple(Offset.parse(frame) for frame in data["frames"] if frame != 0)
    batch = plane_batch(size=(64, 96), sources=(STEREO, NEXT))
    assert batch.intrinsics is not None
    look = {offset: STEREO if offset == STEREO else NEXT for offset in sources}
    target = next(iter(batch.images))
    images = {target: batch.images[target]} | {o: batch.images[look[o]] for o in sources}
    return replace(
        batch,
        images=images,
        inputs=images,
        available={offset: torch.ones(2, dtype=torch.bool) for offset in images},
        intrinsics=dict.fromkeys(images, batch.intrinsics[target]),
        known_poses={o: batch.known_poses[look[o]] for o in sources if o == STEREO or motion},
        hint=batch.hint if STEREO in sources else None,
        hint_confidence=torch.rand(2, 1, 64, 96) if data.get("hint_confidence") else None,
        depth=batch.hint if data.get("train_depth") else None,
        distance={o: torch.ones(2) for o in sources if o.time}
        if data.get("train_distance")
        else {},
    )


@pytest.mark.parametrize("name", recipe_names())
def test_one_step_reaches_every_parameter(name: str) -> None:
    torch.manual_seed(0)
    module = built(name)
    recipe = yaml.safe_load(recipe_text(name))
    motion = "true_poses" in module.objective.needed()
    batch = batch_for(recipe["data"], motion)
    offsets = [Offset.parse(frame) for frame in recipe["data"]["frames"]]
    offered = supplied_by_predictor(module.predictor, offsets) | {"predicted", "identity"}
    offered |= {"true_poses"} if motion else set()
    offered |= {"hint", "proxy"} if batch.hint is not None else set()
    offered |= {"confidence"} if batch.hint_confidence is not None else set()
    offered |= {"depth"} if batch.depth is not None else set()
    offered |= {"distance"} if batch.distance else set()
    module.objective.check(offered)
    step = training_step(module.predictor, module.explainer, module.objective, batch)
    step.loss.backward()
    assert step.loss.isfinite()
    learning = [(n, p) for n, p in module.predictor.named_parameters() if p.requires_grad]
    idle = [n for n, p in learning if p.grad is None]
    assert not idle
    # Some schedules ask how long the run will be.
    module._trainer = SimpleNamespace(estimated_stepping_batches=10, max_epochs=2)  # type: ignore[assignment]
    assert module.configure_optimizers()


@pytest.mark.parametrize(
    "name", ["featdepth_joint", "featdepth_ms", "dfr_ms", "monodepth2_m_brightness", "banet"]
)
def test_half_precision_of_networks_does_not_reach_losses(name: str) -> None:
    torch.manual_seed(0)
    module = built(name)
    recipe = yaml.safe_load(recipe_text(name))
    batch = batch_for(recipe["data"], "true_poses" in module.objective.needed())
    losses = []
    for half in (False, True):
        torch.manual_seed(1)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            step = training_step(module.predictor, module.explainer, module.objective, batch)
        step.loss.backward()
        losses.append(step.loss.item())
        assert all(p.grad is None or p.grad.isfinite().all() for p in module.predictor.parameters())
    assert losses[1] == pytest.approx(losses[0], rel=0.2)


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_says_what_it_is_and_where_it_departs(name: str) -> None:
    head = [line for line in recipe_text(name).splitlines() if line.startswith("#")]
    assert any("[" in line for line in head)
    assert any("Departures:" in line for line in head)


def flat(values: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(values, dict):
        return {prefix: values}
    return {
        name: leaf
        for key, item in values.items()
        for name, leaf in flat(item, f"{prefix}.{key}" if prefix else key).items()
    }


@pytest.mark.parametrize(
    "name", ["depth_hints_ms", "monodepth2_m_mask", "demo", "packnet_m_velocity"]
)
def test_every_setting_of_a_recipe_can_be_overridden(name: str) -> None:
    """Each by its own value, which must change nothing."""
    config = config_of(name)
    values = yaml.safe_load(as_yaml(config))
    settings = [
        f"--{key}={value if isinstance(value, str) else json.dumps(value)}"
        for key, value in flat(values).items()
        if not key.endswith("class_path") and value is not None
    ]
    assert any(setting.startswith("--model.explainer.") for setting in settings)
    assert as_yaml(config_of(name, *settings)) == as_yaml(config)


@pytest.mark.parametrize(
    ("style", "of", "removed", "changed"),
    [
        ("self", "", {"hint"}, {"reprojection.term.init_args.hint_competes"}),
        ("hard", "", {"reprojection"}, {"hint.term.init_args.believe"}),
        ("sum", "", set(), {"hint.term.init_args.believe"}),
        (
            "uncertain",
            "_hard",
            set(),
            {"hint.term.init_args.uncertainty", "depth.init_args.uncertainty"},
        ),
        ("confidence", "", set(), {"hint.term.init_args.weighting", "data.hint_confidence"}),
    ],
)
def test_an_ablation_changes_one_thing(
    style: str, of: str, removed: set[str], changed: set[str]
) -> None:
    """Of complete configurations, so that a default that is written out is no difference."""
    configs = [
        flat(config_of(name).as_dict()) for name in (f"depth_hints_s{of}", f"depth_hints_s_{style}")
    ]
    names = configs[0].keys() | configs[1].keys()
    different = {n for n in names if configs[0].get(n, n) != configs[1].get(n, n)}
    gone = {name for term in removed for name in names if f".objective.{term}." in name}
    assert gone <= different
    left = different - gone
    assert {end for end in changed if any(name.endswith(end) for name in left)} == changed
    assert len(left) == len(changed)


def test_the_complete_configuration_gives_the_same_run_again() -> None:
    config = config_of("depth_hints_s", *SMALL)
    again = recipe_parser().parse_object(yaml.safe_load(as_yaml(config)))
    assert as_yaml(again) == as_yaml(config)
    assert config.data.batch_size == 2


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["--data.batchsize=4"], "batchsize"),
        (["--model.objective.hint.weigth=2"], "weigth"),
        (["--data.batch_size=four"], "batch_size"),
        (["--run.precision=int8"], "int8"),
    ],
)
def test_a_misspelt_setting_is_named_in_one_line(overrides: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        config_of("depth_hints_s", *overrides)
    assert "\n" not in str(error.value)


def test_an_unknown_recipe_brings_the_nearest_name() -> None:
    with pytest.raises(ValueError, match="did you mean depth_hints_s"):
        recipe_text("depth_hint_s")
    with pytest.raises(ValueError, match="there are banet, bts_kitti, bts_nyu, demo"):
        recipe_text("zzz")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU to compare with")
@pytest.mark.parametrize("name", recipe_names())
def test_gpu_takes_the_same_step(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    torch.manual_seed(0)
    module = built(name)
    for layer in module.modules():
        if isinstance(layer, nn.Dropout):
            # Each device has chances of its own.
            layer.p = 0.0
    recipe = yaml.safe_load(recipe_text(name))
    batch = batch_for(recipe["data"], "true_poses" in module.objective.needed())
    start = deepcopy(module.state_dict())
    losses, gradients = [], []
    for device in ("cpu", "cuda"):
        module.load_state_dict(start)
        module.to(device).zero_grad()
        step = training_step(module.predictor, module.explainer, module.objective, batch.to(device))
        step.loss.backward()
        losses.append(step.loss.item())
        learning = [p.grad for p in module.predictor.parameters() if p.grad is not None]
        gradients.append(torch.cat([g.flatten().cpu() for g in learning]))
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    # Where two explanations are equally good rounding decides which of them learns.
    apart = (gradients[1] - gradients[0]).norm() / gradients[0].norm()
    assert apart < 0.05


@pytest.mark.parametrize("name", ["monodepth2_m", "monodepth2_m_indoor"])
@pytest.mark.parametrize("setting", ["turns=poses", "reach=16", "most_parallax=30"])
def test_each_setting_of_neighbours_can_be_given(name: str, setting: str) -> None:
    key, _, value = setting.partition("=")
    before = read_recipe(name, {"data": {"source": SOURCE}}).data.hand_held
    after = read_recipe(name, {"data": {"source": SOURCE}}, [f"--data.hand_held.{setting}"])
    found = after.data.hand_held
    assert str(found.pop(key)) in (value, f"{value}.0")
    before.pop(key)
    assert found == before


def test_a_neighbour_setting_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match=r"hand_held.turns.*'poses', 'keep'\]. Got value: gyro$"):
        read_recipe(
            "monodepth2_m_indoor", {"data": {"source": SOURCE}}, ["--data.hand_held.turns=gyro"]
        )
