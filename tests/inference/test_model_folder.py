"""A model folder gives back the network that was saved, or says in one line why it cannot."""

import stat
from pathlib import Path

import pytest
import torch
import yaml
from scenes import plane_batch
from small_models import SIZE, linked_copy, predictor_config, replace_text, write_model
from torch import nn

from leadline.inference.model_folder import (
    CARD,
    CONFIG,
    WEIGHTS,
    ModelConfig,
    build_predictor,
    fingerprint,
    load_predictor,
    load_weights,
    read_config,
    save_model,
)
from leadline.offset import TARGET


@pytest.fixture
def copy(model_folder: Path, tmp_path: Path) -> Path:
    return linked_copy(model_folder, tmp_path / "model")


def test_what_is_loaded_predicts_what_was_saved(tmp_path: Path) -> None:
    torch.manual_seed(3)
    trained = build_predictor(predictor_config()).eval()
    config = ModelConfig(
        predictor_config(), SIZE, unit=5.4, metric=True, recipe="monodepth2_s", steps=7,
        focal=0.58, baseline=0.54, metrics={"abs_rel": 0.1}, data="kitti, 7 frames",
    )  # fmt: skip
    save_model(trained, config, tmp_path / "model")
    loaded, read = load_predictor(tmp_path / "model")
    assert read == config
    assert "- Data: kitti, 7 frames\n" in (tmp_path / "model" / CARD).read_text()
    assert not loaded.training
    batch = plane_batch(size=SIZE)
    with torch.no_grad():
        expected, found = (network(batch).depth[TARGET] for network in (trained, loaded))
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[scale], found[scale]) for scale in expected)


def test_the_card_says_what_a_user_must_know(model_folder: Path) -> None:
    card = (model_folder / CARD).read_text()
    for text in ("`demo`", "96x64", "Metric: yes", "0.900 x width", "baseline 0.5 m"):
        assert text in card


def test_all_files_are_as_readable_as_each_other(model_folder: Path) -> None:
    assert len({stat.S_IMODE(path.stat().st_mode) for path in model_folder.iterdir()}) == 1


def test_the_fingerprint_tells_weights_apart(model_folder: Path, tmp_path: Path) -> None:
    assert fingerprint(model_folder) == fingerprint(linked_copy(model_folder, tmp_path / "same"))
    assert fingerprint(model_folder) != fingerprint(write_model(tmp_path / "other", seed=1))


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
def test_a_missing_file_is_no_model(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(FileNotFoundError, match=r"expected a model folder with .*RUN/model"):
        load_predictor(copy)


def test_the_folder_of_a_run_leads_to_its_model(copy: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"did you mean {copy}"):
        load_predictor(copy.parent)
    with pytest.raises(FileNotFoundError, match=f"did you mean {copy}"):
        load_weights(nn.Identity(), copy.parent)


@pytest.mark.parametrize("keep", [0, 5, 1000, -1])
def test_damaged_weights_are_named(model_folder: Path, copy: Path, keep: int) -> None:
    whole = (model_folder / WEIGHTS).read_bytes()
    (copy / WEIGHTS).unlink()
    (copy / WEIGHTS).write_bytes(whole[:keep])
    with pytest.raises(ValueError, match=r"model\.safetensors: damaged .* copy or train it again"):
        load_predictor(copy)


def test_weights_of_another_network_are_counted(model_folder: Path) -> None:
    other = build_predictor(predictor_config("resnet34"))
    with pytest.raises(ValueError, match=r"weights of another network; \d+ of \d+ tensors"):
        load_weights(other, model_folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format: 2", "format: 3\nlens: fisheye", "format 3 is newer .* upgrade leadline"),
        ("DepthNetwork", "DepthNetworx", "no attribute 'DepthNetworx'; the model was made by"),
        ("backbone: resnet18", "spine: resnet18", "'spine'|backbone"),
        ("metric: true", "metrik: true", "expected the configuration of a model.*metri[ck]"),
        ("size:\n- 64\n- 96", "size: large", "model.*size"),
        ("size:\n- 64\n- 96", "size: [64, 0]", "two whole numbers"),
        ("unit: 5.0", "unit: 0.0", "positive unit"),
        ("unit: 5.0", "unit: large", "got the unit 'large' instead of a number"),
        ("unit: 5.0", "unit: .nan", "positive unit"),
        ("unit: 5.0", "unit: {", "expected the configuration of a model"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_said_in_one_line(
    copy: Path, old: str, new: str, message: str
) -> None:
    replace_text(copy / CONFIG, old, new)
    with pytest.raises(ValueError, match=message) as error:
        load_predictor(copy)
    assert str(copy / CONFIG) in str(error.value)
    assert "\n" not in str(error.value)


def test_an_empty_configuration_is_said_in_one_line(copy: Path) -> None:
    (copy / CONFIG).unlink()
    (copy / CONFIG).write_text("")
    with pytest.raises(ValueError, match="expected the configuration of a model"):
        read_config(copy)


def test_initial_weights_are_never_fetched_to_be_overwritten(copy: Path) -> None:
    values = yaml.safe_load((copy / CONFIG).read_text())
    expected = load_predictor(copy)[0].state_dict()
    values["predictor"]["init_args"]["depth"]["init_args"]["weights"] = "/nowhere/at/all"
    (copy / CONFIG).unlink()
    (copy / CONFIG).write_text(yaml.safe_dump(values))
    loaded = load_predictor(copy)[0].state_dict()
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[name], expected[name]) for name in expected)
