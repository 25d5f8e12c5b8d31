"""The published constants of the published methods, written down a second time."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from leadline.recipes import recipe_text

# frames; height, width, batch; learning rate, epochs, step of the schedule; smoothness; hints
PUBLISHED: dict[str, tuple[Any, ...]] = {
    "monodepth2_m": ([0, -1, 1], 192, 640, 12, 1e-4, 20, 15, 1e-3, False),
    "monodepth2_s": ([0, "stereo"], 192, 640, 12, 1e-4, 20, 15, 1e-3, False),
    "monodepth2_ms": ([0, -1, 1, "stereo"], 192, 640, 12, 1e-4, 20, 15, 1e-3, False),
    "depth_hints_s": ([0, "stereo"], 192, 640, 12, 1e-4, 20, 5, None, True),
    "depth_hints_ms": ([0, -1, 1, "stereo"], 192, 640, 12, 1e-4, 20, 5, None, True),
    "depth_hints_s_1024x320": ([0, "stereo"], 320, 1024, 6, 1e-4, 20, 5, None, True),
    "depth_hints_ms_1024x320": ([0, -1, 1, "stereo"], 320, 1024, 6, 1e-4, 20, 5, None, True),
}
OURS = {"depth_hints_s_confidence": ("depth_hints_s", {"weighting": "confidence"})}
"""Recipes of our own: what each is beside the published one, and what its hint term says more."""
SECOND_STAGES = ("monodepth2_m", "monodepth2_s", "monodepth2_ms")
OBJECTIVE = {
    False: {"reduction": "min", "automask": True, "average_over": "pixels"},
    True: {"reduction": "min", "automask": True, "average_over": "kept", "hint_competes": True},
}


def recipe(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(recipe_text(name))
    return content


PACKNET = {
    # height, width, batch, terms beside smoothness and their weights, rate
    "packnet_m": (192, 640, 4, {"reprojection": 1.0}, 2e-4),
    "packnet_m_velocity": (192, 640, 4, {"reprojection": 1.0, "velocity": 0.1}, 2e-4),
    "packnet_m_1280x384": (384, 1280, 1, {"reprojection": 1.0}, 2e-4),
    "packnet_m_velocity_1280x384": (384, 1280, 1, {"reprojection": 1.0, "velocity": 0.1}, 2e-4),
    "packnet_resnet18_m_velocity": (192, 640, 8, {"reprojection": 1.0, "velocity": 0.1}, 1e-4),
    "packnet_m_semi": (192, 640, 4, {"reprojection": 0.1, "lidar": 0.9}, 2e-4),
    "packnet_m_ddad": (384, 640, 2, {"reprojection": 1.0}, 9e-5),
}
DDAD_EPOCHS = 5 * 50
"""Each of the published epochs of DDAD sees the data five times, those of KITTI twice."""


@pytest.mark.parametrize("name", PACKNET)
def test_constants_of_packnet(name: str) -> None:
    height, width, batch, weights, rate = PACKNET[name]
    content = recipe(name)
    data, model = content["data"], content["model"]
    assert data["frames"] == [0, -1, 1]
    assert (data["height"], data["width"], data["batch_size"]) == (height, width, batch)
    assert data.get("train_distance", False) == ("velocity" in weights)
    assert data.get("train_depth", False) == ("lidar" in weights)
    objective = model["objective"]
    found = {term: value.get("weight", 1.0) for term, value in objective.items()}
    # The smoothness belongs to the self-supervised part and shares its weight.
    assert found == weights | {"smoothness": pytest.approx(1e-3 * weights["reprojection"])}
    assert float(model["optimiser"]["init_args"]["lr"]) == rate
    epochs = DDAD_EPOCHS if "ddad" in name else 2 * 50
    assert model["schedule"]["init_args"] == {"step_size": epochs * 30 // 50, "gamma": 0.5}
    assert content["run"]["epochs"] == epochs
    expected = {"ssim_weight": 0.85, "padding": "zeros", "enlarging": "nearest"}
    assert model["explainer"] == expected
    depth = model["predictor"]["init_args"]["depth"]["init_args"]
    assert objective["smoothness"]["term"]["init_args"] == {"at": "full"}
    if "resnet18" not in name:
        assert depth["widths"] == [64, 64, 128, 256, 512]
        assert (depth["features"], depth["join"], depth["minimum_depth"]) == (8, "concatenate", 0.5)


FEATDEPTH: dict[str, tuple[Any, ...]] = {
    # frames; height, width, batch; epochs, steps of the schedule; auto-masking
    "featdepth_ms": ([0, -1, 1, "stereo"], 320, 1024, 2, 40, [20, 30], False),
    "featdepth_m": ([0, -1, 1], 320, 1024, 2, 40, [20, 30], True),
    "featdepth_joint": ([0, -1, 1, "stereo"], 192, 640, 2, 40, [20, 30], False),
    "featdepth_autoencoder": ([0], 256, 800, 5, 30, [10, 20], None),
}


@pytest.mark.parametrize("name", FEATDEPTH)
def test_constants_of_featdepth(name: str) -> None:
    frames, height, width, batch, epochs, milestones, automask = FEATDEPTH[name]
    content = recipe(name)
    data, model, run = content["data"], content["model"], content["run"]
    assert data["frames"] == frames
    assert (data["height"], data["width"], data["batch_size"]) == (height, width, batch)
    assert float(model["optimiser"]["init_args"]["lr"]) == 1e-4
    assert model["schedule"]["init_args"] == {"milestones": milestones, "gamma": 0.5}
    assert model["warmup"] == {"steps": 500, "start": pytest.approx(1 / 3, abs=1e-4)}
    assert (run["epochs"], run["clip_gradient"]) == (epochs, 35)
    objective = model["objective"]
    weights = {term: value.get("weight", 1.0) for term, value in objective.items()}
    learnt = {"reconstruction": 1.0, "discriminative": 1e-3, "convergent": 1e-3}
    if automask is None:
        assert weights == learnt
        return
    stereo = "stereo" in frames
    # Of a sigmoid whose finest scale is called 0; of inverse depth ten times as large, called 1.
    smoothness = 2e-3 / (10 if stereo else 1)
    expected = {"reprojection": 1.0, "features": 1e-3, "smoothness": smoothness}
    assert weights == expected | (learnt if name == "featdepth_joint" else {})
    assert objective["reprojection"]["term"]["init_args"]["automask"] == automask
    assert objective["smoothness"]["term"]["init_args"] == {
        "second_order": True,
        "sharpness": 0.5,
        "normalise": not stereo,
    }
    assert data.get("network_baseline") == (0.015 if stereo else None)
    assert model["explainer"] == {
        "ssim_weight": 0.85,
        "absolute": "robust_l1",
        "padding": "border",
    }
    networks = model["predictor"]["init_args"]
    depth, pose = networks["depth"]["init_args"], networks["pose"]["init_args"]
    assert (depth["backbone"], pose["backbone"], pose["size"]) == (
        "resnet50",
        "resnet18",
        [192, 640],
    )


SUPERVISED: dict[str, tuple[Any, ...]] = {
    # height, width of pictures, of windows, batch and accumulation; optimiser, rate; schedule;
    # epochs or steps; term and its settings; zoom, rotation
    "unet_nyu": (
        (240, 320, [224, 320], 32 * 4),
        ("Adam", {"lr": 1e-4, "weight_decay": 1e-4}),
        ("StepLR", {"step_size": 60_000, "gamma": 0.1}, "steps"),
        180_000,
        ("ScaleInvariantLog", {"invariance": 0.5, "slopes": True}),
        (1.5, 5.0),
    ),
    "eigen_nyu_coarse": (
        (228, 304, None, 32),
        ("SGD", {"lr": 1e-3, "momentum": 0.9}),
        None,
        2_000_000 // 32,
        ("ScaleInvariantLog", {"invariance": 0.5}),
        (1.5, 5.0),
    ),
    "eigen_nyu": (
        (228, 304, None, 32),
        ("SGD", {"lr": 1e-3, "momentum": 0.9}),
        None,
        1_500_000 // 32,
        ("ScaleInvariantLog", {"invariance": 0.5}),
        (1.5, 5.0),
    ),
    "fcrn_nyu": (
        (228, 304, None, 16),
        ("SGD", {"lr": 1e-2, "momentum": 0.9}),
        ("StepLR", {"step_size": 7, "gamma": 0.1}, "epochs"),
        20,
        ("DepthResidual", {"residual": "berhu"}),
        (1.5, 5.0),
    ),
    "bts_nyu": (
        (480, 640, [416, 544], 4),
        ("AdamW", {"lr": 1e-4, "eps": 1e-3, "weight_decay": 0.0}),
        ("PolynomialDecay", {"power": 0.9, "end": 0.1}, "steps"),
        50,
        ("SILog", {"invariance": 0.85, "nearest": 0.1}),
        (1.0, 2.5),
    ),
    "bts_kitti": (
        (352, 1216, [352, 704], 4),
        ("AdamW", {"lr": 1e-4, "eps": 1e-3, "weight_decay": 0.0}),
        ("PolynomialDecay", {"power": 0.9, "end": 0.1}, "steps"),
        50,
        ("SILog", {"invariance": 0.85, "nearest": 1.0}),
        (1.0, 1.0),
    ),
    "dorn_nyu": (
        (257, 353, None, 3),
        ("SGD", {"lr": 1e-4, "momentum": 0.9, "weight_decay": 5e-4}),
        ("PolynomialDecay", {"power": 0.9}, "steps"),
        3_000_000,
        ("OrdinalLikelihood", {}),
        (1.0, 0.0),
    ),
    "dorn_kitti": (
        (385, 1242, [385, 513], 3),
        ("SGD", {"lr": 1e-4, "momentum": 0.9, "weight_decay": 5e-4}),
        ("PolynomialDecay", {"power": 0.9}, "steps"),
        300_000,
        ("OrdinalLikelihood", {}),
        (1.0, 0.0),
    ),
}


@pytest.mark.parametrize("name", SUPERVISED)
def test_constants_of_supervised_recipes(name: str) -> None:
    shown, optimiser, schedule, length, term, varied = SUPERVISED[name]
    content = recipe(name)
    data, model, run = content["data"], content["model"], content["run"]
    assert (data["frames"], data["train_depth"], data["unit"]) == ([0], True, 1.0)
    samples = data["batch_size"] * run.get("accumulate", 1)
    assert (data["height"], data["width"], data.get("window"), samples) == shown
    assert (data.get("zoom", 1.0), data.get("rotation", 0.0)) == varied
    name_of, settings = optimiser
    assert model["optimiser"]["class_path"] == f"torch.optim.{name_of}"
    assert {k: float(v) for k, v in model["optimiser"]["init_args"].items()} == settings
    if schedule is None:
        assert "schedule" not in model
    else:
        assert model["schedule"]["class_path"].endswith(f".{schedule[0]}")
        assert model["schedule"]["init_args"] == schedule[1]
        assert model.get("schedule_counts", "epochs") == schedule[2]
    assert run.get("steps", run["epochs"]) == length
    (only,) = model["objective"].values()
    assert only["term"]["class_path"].endswith(f".{term[0]}")
    assert only["term"].get("init_args", {}) == term[1]


def test_parameter_groups_of_supervised_recipes() -> None:
    groups = {name: recipe(name)["model"].get("groups", []) for name in SUPERVISED}
    assert [(g["match"], g["lr_factor"]) for g in groups["unet_nyu"]] == [
        (r"depth\.decoder\..*bias", 2.0)
    ]
    assert [g["weight_decay"] for g in groups["bts_nyu"]] == [0.01]
    assert groups["bts_kitti"] == groups["bts_nyu"]
    factors = [g.get("lr_factor", 1.0) for g in groups["dorn_nyu"]]
    assert factors == [0.0, 1.0, 20.0, 10.0]
    assert groups["dorn_kitti"] == groups["dorn_nyu"]
    assert all(g["frozen_batch_norm"] for g in groups["dorn_nyu"][:2])
    # Of the first stage convolutions learn at 0.001, full layers at 0.1.
    (coarse,) = recipe("eigen_nyu_coarse")["model"]["groups"]
    assert coarse["lr_factor"] == pytest.approx(100)


ROOM_OR_STREET = {
    "unet": {"height", "width", "window", "initial_depth"},
    "eigen": {"height", "width", "size", "initial_depth"},
    "eigen_coarse": {"height", "width", "size", "initial_depth"},
    "fcrn": {"height", "width", "initial_depth"},
    "bts": {"height", "width", "window", "rotation", "brightness", "maximum_depth", "nearest"},
    "dorn": {
        *("height", "width", "window", "minimum_depth", "maximum_depth", "bins"),
        *("dilations", "cells", "parts", "steps"),
    },
}
"""By what the recipes of a method for rooms and for streets differ."""


@pytest.mark.parametrize("method", ROOM_OR_STREET)
def test_a_method_is_the_same_in_rooms_and_streets_but_for_what_is_listed(method: str) -> None:
    name, _, stage = method.partition("_")
    rooms, streets = (
        dict(_leaves(recipe("_".join(filter(None, (name, place, stage))))))
        for place in ("nyu", "kitti")
    )
    both = rooms.keys() | streets.keys()
    differing = {key[-1] for key in both if rooms.get(key) != streets.get(key)}
    assert differing == ROOM_OR_STREET[method]


def _leaves(content: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _leaves(value, (*path, key))
    else:
        yield path, content


def test_video_of_rooms_differs_from_monodepth2_by_what_it_says() -> None:
    rooms, streets = (
        dict(_leaves(recipe(name))) for name in ("monodepth2_m_indoor", "monodepth2_m")
    )
    both = rooms.keys() | streets.keys()
    assert {key[-1] for key in both if rooms.get(key) != streets.get(key)} == {
        *("neighbours", "turns", "least_parallax", "most_parallax", "reach"),
        *("height", "width", "maximum_depth", "automask", "step_size", "epochs"),
    }


def test_constants_of_dfr() -> None:
    """Sums over pixels, colours, features and both sources, as weights of means."""
    content = recipe("dfr_ms")
    data, model = content["data"], content["model"]
    assert (data["frames"], data["height"], data["width"]) == ([0, -1, "stereo"], 160, 608)
    assert (data["batch_size"], data["unit"]) == (8, 1.0)
    objective = model["objective"]
    assert objective["reprojection"]["weight"] == 1.0 * 2 * 3
    # A quarter as many pixels as the picture has.
    assert objective["features"]["weight"] == pytest.approx(0.1 * 2 * 64 / 4)
    assert objective["smoothness"]["weight"] == 10
    # exp(-0.33 times the sum over colours), by the mean.
    assert objective["smoothness"]["term"]["init_args"]["sharpness"] == pytest.approx(0.33 * 3)
    assert model["explainer"]["ssim_weight"] == 0
    assert float(model["optimiser"]["init_args"]["lr"]) == 1e-3
    assert [rule["lr_factor"] for rule in model["groups"]] == [0.01, 0.1]
    # 200,000 steps of 8, by 10 every 80,000.
    steps_an_epoch = 45_200 / 8
    assert model["schedule"]["init_args"]["step_size"] == round(80_000 / steps_an_epoch)
    assert content["run"]["epochs"] == round(200_000 / steps_an_epoch)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_constants(name: str) -> None:
    frames, height, width, batch, rate, epochs, step, smoothness, hints = PUBLISHED[name]
    content = recipe(name)
    data, model = content["data"], content["model"]
    assert data["frames"] == frames
    assert (data["height"], data["width"], data["batch_size"]) == (height, width, batch)
    assert (data["flip"], data["jitter"]) == ("mirror", True)
    assert model["optimiser"]["class_path"] == "torch.optim.Adam"
    assert float(model["optimiser"]["init_args"]["lr"]) == rate
    assert model["schedule"]["init_args"] == {"step_size": step, "gamma": 0.1}
    assert content["run"]["epochs"] == epochs
    predictor = model["predictor"]["init_args"]
    depth = predictor["depth"]["init_args"]
    assert (depth["minimum_depth"], depth["maximum_depth"]) == (0.1, 100)
    assert depth["backbone"] == "resnet18"
    assert ("pose" in predictor) == (1 in frames)
    assert model["explainer"] == {"ssim_weight": 0.85, "padding": "border"}
    objective = model["objective"]
    assert objective["reprojection"]["term"]["init_args"] == OBJECTIVE[hints]
    assert objective.get("smoothness", {}).get("weight") == smoothness
    assert ("hint" in objective) == hints
    if hints:
        proxy = objective["hint"]["term"]["init_args"]
        assert proxy == {"believe": "hint_wins", "residual": "log_l1", "automask": True}
        assert "weight" not in objective["hint"]


@pytest.mark.parametrize("name", OURS)
def test_ours_are_the_published_ones_but_for_what_is_ours(name: str) -> None:
    published, more = OURS[name]
    ours, theirs = recipe(name), recipe(published)
    assert ours["model"]["objective"]["hint"]["term"]["init_args"].items() >= more.items()
    for key in more:
        del ours["model"]["objective"]["hint"]["term"]["init_args"][key]
    assert ours["data"].pop("hint_confidence") is True
    assert ours == theirs
    assert "a recipe of ours" in recipe_text(name).splitlines()[0]


@pytest.mark.parametrize("name", SECOND_STAGES)
def test_second_stages_go_on_for_five_epochs_at_a_tenth(name: str) -> None:
    first, second = recipe(name), recipe(f"{name}_1024x320")
    assert float(second["model"]["optimiser"]["init_args"]["lr"]) == 1e-5
    assert second["run"]["epochs"] == 5
    assert (second["data"]["height"], second["data"]["width"]) == (320, 1024)
    assert second["data"]["frames"] == first["data"]["frames"]
    assert second["model"]["objective"] == first["model"]["objective"]


def test_the_baseline_is_without_the_three_ideas_of_monodepth2() -> None:
    ideas, without = recipe("monodepth2_m"), recipe("monodepth2_m_baseline")
    term = without["model"]["objective"]["reprojection"]["term"]["init_args"]
    assert (term.pop("reduction"), term.pop("automask")) == ("mean", False)
    assert without["model"]["explainer"].pop("judged_at") == "own"
    other = ideas["model"]["objective"]["reprojection"]["term"]["init_args"]
    assert (other.pop("reduction"), other.pop("automask")) == ("min", True)
    assert without == ideas
