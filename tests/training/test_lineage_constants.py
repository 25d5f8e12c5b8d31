"""The constants of the works that the modern recipes grew out of, written down a second time."""

from typing import Any

import pytest
import yaml

from leadline.recipes import recipe_text


def recipe(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(recipe_text(name))
    return content


@pytest.mark.parametrize("masked", [False, True])
def test_constants_of_sfmlearner(masked: bool) -> None:
    """With its masks as in the paper, and without as the released code trains."""
    content = recipe("sfmlearner_m_mask" if masked else "sfmlearner_m")
    data, model = content["data"], content["model"]
    assert (data["height"], data["width"], data["batch_size"]) == (128, 416, 4)
    assert (data["frames"], data["zoom"], data["flip"], data["jitter"]) == (
        [0, -1, 1],
        1.15,
        "none",
        False,
    )
    assert data["static"] == "skip"
    explainer = model["explainer"]
    assert explainer == {"ssim_weight": 0.0, "padding": "zeros", "judged_at": "own"}
    objective = model["objective"]
    # Sums over two sources of colours from -1 to 1 are four times means of those from 0 to 1.
    assert objective["reprojection"]["weight"] == 4
    smoothness = objective["smoothness"]
    assert smoothness["weight"] == 0.5
    assert smoothness["term"]["init_args"] == {
        "first_order": False,
        "second_order": True,
        "sharpness": 0.0,
        "normalise": False,
    }
    if masked:
        assert objective["explainability"]["weight"] == 2 * 0.2
    assert ("explainability" in objective) == masked
    assert model["optimiser"]["init_args"] == {"lr": 2e-4, "betas": [0.9, 0.999]}
    assert "schedule" not in model
    assert content["run"]["steps"] == 200_000


@pytest.mark.parametrize(("name", "encoder"), [("", "vgg"), ("_resnet50", "resnet50")])
def test_constants_of_monodepth(name: str, encoder: str) -> None:
    content = recipe(f"monodepth_s{name}")
    data, model = content["data"], content["model"]
    assert data["frames"] == [0, "stereo"]
    assert (data["height"], data["width"], data["batch_size"]) == (256, 512, 8)
    assert (data["partner"], data["flip"], data["jitter"]) == ("right", "swap", "gamma")
    # Shares of the width are inverse depths in units of the baseline times KITTI's focal length.
    assert data["network_baseline"] == pytest.approx(1 / 0.58, rel=1e-4)
    depth = model["predictor"]["init_args"]["depth"]["init_args"]
    assert depth == {"encoder": encoder}
    assert model["explainer"] == {"ssim_weight": 0.85, "padding": "zeros", "judged_at": "own"}
    weights = {name: term["weight"] for name, term in model["objective"].items()}
    assert weights == {"reprojection": 1.0, "smoothness": 0.1, "consistency": 1.0}
    both = [model["objective"][name]["term"] for name in ("reprojection", "smoothness")]
    assert all(term["class_path"].endswith("BothSides") for term in both)
    inner = [term["init_args"]["term"]["init_args"] for term in both]
    assert inner == [{"automask": False}, {"normalise": False}]
    assert model["optimiser"]["init_args"] == {"lr": 1e-4}
    # Halved after three and four fifths of the steps.
    assert model["schedule"]["init_args"] == {"milestones": [30, 40], "gamma": 0.5}
    assert content["run"] == {"epochs": 50}


def test_constants_of_garg() -> None:
    content = recipe("garg_s")
    data, model = content["data"], content["model"]
    assert (data["height"], data["width"], data["batch_size"]) == (160, 608, 14)
    assert (data["partner"], data["flip"], data["jitter"]) == ("right", "swap", False)
    assert model["explainer"] == {"ssim_weight": 0.0, "padding": "border"}
    objective = model["objective"]
    assert objective["reprojection"]["weight"] == pytest.approx(3 * 255 * 0.004)
    assert objective["smoothness"]["weight"] == pytest.approx(0.05 * 608)
    smoothness = objective["smoothness"]["term"]["init_args"]
    assert smoothness == {"sharpness": 3 * 0.33, "normalise": False}
    assert model["groups"] == [{"match": r"depth\.scores\.scales", "lr_factor": 0.01}]
    assert model["optimiser"]["init_args"] == {"lr": 1e-3}
    assert content["run"]["steps"] == 40_000
