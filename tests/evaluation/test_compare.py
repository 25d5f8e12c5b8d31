"""Evaluations side by side: on the same images only, by the same rules only, and chance named."""

import csv
from pathlib import Path

import numpy as np
import pytest
from commands import leadline
from prediction_folders import SETTINGS, write_predictions

from leadline.evaluation.compare import compare
from leadline.evaluation.compare_page import comparison_page
from leadline.evaluation.results import Evaluation
from leadline.evaluation.score import score_folders

SIZE = (20, 30)
IDS = tuple(f"day/drive {frame:04d} l" for frame in range(12))


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare") / "truth"
    folder.mkdir()
    depth = np.repeat(np.geomspace(60, 3, SIZE[0])[:, None], SIZE[1], axis=1)
    for number in range(len(IDS)):
        np.save(folder / f"{number:04d}.npy", depth)
    return folder


def evaluated(
    truth: Path, out: Path, errors: list[float], protocol: str = "dense", scale: str = "none"
) -> Path:
    """A folder of results for predictions that are off by these shares, image by image."""
    depth = np.load(truth / "0000.npy")
    wrong = {image: depth * (1 + e) for image, e in zip(IDS, errors, strict=False)}
    write_predictions(out / "predictions", wrong, SETTINGS)
    evaluation = score_folders(out / "predictions", truth, protocol=protocol, alignment=scale)
    evaluation.save(out / "results.json")
    return out


ROUGH = [0.2 + 0.01 * k for k in range(len(IDS))]
FINE = [e - 0.1 for e in ROUGH]


def test_figures_are_means_over_images_and_differences_are_paired(
    truth: Path, tmp_path: Path
) -> None:
    rough = evaluated(truth, tmp_path / "rough", ROUGH)
    fine = evaluated(truth, tmp_path / "fine" / "evaluation", FINE)
    found = compare([rough, fine.parent])
    assert [c.name for c in found.contenders] == ["rough", "fine"]
    first, second = found.contenders
    assert found.mean(first).abs_rel == pytest.approx(np.mean(ROUGH), rel=1e-3)
    off = found.difference(second)
    assert off.mean == pytest.approx(-0.1, abs=1e-3)
    # Every image is better by the same: images spread, the difference does not.
    assert off.high - off.low < 1e-3
    assert (off.better, off.worse) == (len(IDS), 0)
    own = found.difference(first)
    assert (own.mean, own.low, own.high, own.better, own.worse) == (0, 0, 0, 0, 0)


def test_pooled_protocols_compare_pixel_by_pixel(tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    truth.mkdir()
    depth = np.full(SIZE, 4.0)
    half = depth.copy()
    half[: SIZE[0] // 2] = 0
    for number, shown in enumerate((depth, half)):
        np.save(truth / f"{number:04d}.npy", shown)
    folders = []
    for name, errors in (("a", (0.3, 0.3)), ("b", (0.3, 0.6))):
        wrong = {IDS[k]: depth * (1 + e) for k, e in enumerate(errors)}
        write_predictions(tmp_path / name / "predictions", wrong, SETTINGS)
        found = score_folders(tmp_path / name / "predictions", truth, protocol="nyu_fcrn")
        found.save(tmp_path / name / "results.json")
        assert Evaluation.load(tmp_path / name / "results.json") == found
        folders.append(tmp_path / name)
    comparison = compare(folders)
    assert comparison.joined == "over all pixels"
    other = comparison.contenders[1]
    # The second image, which is twice as wrong, has half as many pixels.
    assert comparison.mean(other).abs_rel == pytest.approx(0.4, rel=1e-3)
    assert comparison.difference(other).mean == pytest.approx(0.1, rel=1e-2)


def test_chance_is_called_chance(truth: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    noisy = [e + d for e, d in zip(ROUGH, rng.permutation([0.05, -0.05] * 6), strict=True)]
    folders = [evaluated(truth, tmp_path / "a", ROUGH), evaluated(truth, tmp_path / "b", noisy)]
    off = compare(folders).difference(compare(folders).contenders[1])
    assert off.low < 0 < off.high
    assert (off.better, off.worse) == (6, 6)
    page = comparison_page(compare(folders))
    assert "no difference beyond chance" in page


def test_only_images_that_all_were_scored_on_count(truth: Path, tmp_path: Path) -> None:
    whole = evaluated(truth, tmp_path / "whole", ROUGH)
    part = tmp_path / "part"
    depth, few = np.load(truth / "0000.npy"), [f"{k:04d}" for k in range(5)]
    write_predictions(part / "predictions", dict.fromkeys(IDS[:5], depth * 1.1), SETTINGS)
    score_folders(part / "predictions", truth, protocol="dense", only=set(few)).save(
        part / "results.json"
    )
    found = compare([whole, part], ["all", "some"])
    assert found.images == tuple(few)
    assert dict(found.left_out) == {"all": 7, "some": 0}
    assert found.mean(found.contenders[0]).abs_rel == pytest.approx(np.mean(ROUGH[:5]), rel=1e-3)
    page = comparison_page(found)
    assert "left out of all" in page
    assert "different images" in page
    assert "guess:" not in page


def test_the_command_prints_and_writes(truth: Path, tmp_path: Path) -> None:
    a = evaluated(truth, tmp_path / "a", ROUGH)
    b = evaluated(truth, tmp_path / "b", FINE, scale="median")
    out = tmp_path / "out"
    answer = leadline("compare", a, b, "--names", "plain, scaled <b>", "--out", out)
    assert answer.code == 0, answer.err
    said = " ".join(answer.out.split())
    assert "scaled <b> against plain: Abs Rel -0" in said
    assert "better in 12 and worse in 0 of 12 images: better." in said
    assert "They are scaled differently" in said
    rows = list(csv.DictReader((out / "comparison.csv").open()))
    assert [row["name"] for row in rows] == ["plain", "scaled <b>"]
    assert float(rows[0]["abs_rel"]) == pytest.approx(np.mean(ROUGH), rel=1e-3)
    assert float(rows[1]["difference"]) < -0.2
    page = (out / "comparison.html").read_text()
    assert "scaled &lt;b&gt;" in page
    assert "scaling of plain" in page
    assert "Abs Rel by true distance." in page


def test_what_is_not_fair_is_refused(truth: Path, tmp_path: Path) -> None:
    a = evaluated(truth, tmp_path / "a", ROUGH)
    capped = evaluated(truth, tmp_path / "capped", ROUGH, protocol="improved")
    sparse = tmp_path / "sparse"
    sparse.mkdir()
    for path in truth.iterdir():
        depth = np.load(path)
        depth[::2] = 0
        np.save(sparse / path.name, depth)
    other = evaluated(sparse, tmp_path / "other", ROUGH)
    for folders, complaint in (
        ([a, capped], "not to be compared: a follows the protocol dense"),
        ([a, other], "against the same truth"),
        ([a], "expected two evaluations or more, got 1"),
        ([a, tmp_path], "expected an evaluation (results.json) in it"),
        ([a, a], "expected different folders"),
    ):
        answer = leadline("compare", *folders, "--out", tmp_path / "out")
        assert answer.code == 2
        assert complaint in answer.complaint
    answer = leadline("compare", a, capped, "--names", "one", "--out", tmp_path / "out")
    assert "--names: expected 2, one for each evaluation, got 1" in answer.complaint
    assert not (tmp_path / "out").exists()
