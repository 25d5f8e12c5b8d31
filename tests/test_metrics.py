import math
import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from leadline.metrics import (
    DepthMetrics,
    depth_metrics,
    log_bias,
    mean_metrics,
    pooled_metrics,
    region_abs_rel,
)
from leadline.metrics.by_image import DepthMetricsByImage

depths = st.floats(0.01, 200, allow_nan=False)
pairs = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        arrays(np.float64, n, elements=depths), arrays(np.float64, n, elements=depths)
    )
)


def slow_metrics(prediction: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Pixel by pixel, sums by hand, as the formulas stand in the papers."""
    n = len(truth)
    sums = dict.fromkeys(("abs_rel", "sq_rel", "square", "log", "log_square", "log10"), 0.0)
    below = [0, 0, 0]
    for p, g in zip(prediction.tolist(), truth.tolist(), strict=True):
        sums["abs_rel"] += abs(g - p) / g
        sums["sq_rel"] += (g - p) * (g - p) / g
        sums["square"] += (g - p) * (g - p)
        sums["log"] += math.log(p) - math.log(g)
        sums["log_square"] += (math.log(p) - math.log(g)) ** 2
        sums["log10"] += abs(math.log10(p) - math.log10(g))
        for k, limit in enumerate((1.25, 1.5625, 1.953125)):
            below[k] += max(g / p, p / g) < limit
    variance = max(sums["log_square"] / n - (sums["log"] / n) ** 2, 0)
    return {
        "abs_rel": sums["abs_rel"] / n,
        "sq_rel": sums["sq_rel"] / n,
        "rmse": math.sqrt(sums["square"] / n),
        "rmse_log": math.sqrt(sums["log_square"] / n),
        "a1": below[0] / n,
        "a2": below[1] / n,
        "a3": below[2] / n,
        "silog": 100 * math.sqrt(variance),
        "log10": sums["log10"] / n,
    }


@given(pairs)
def test_every_figure_equals_a_loop_over_pixels(pair):
    metrics = depth_metrics(*pair)
    for name, expected in slow_metrics(*pair).items():
        # The slow variance is a difference of large sums: its root is good to 1e-5 only.
        tolerance = 1e-4 if name == "silog" else 1e-9
        assert getattr(metrics, name) == pytest.approx(expected, rel=1e-9, abs=tolerance), name


def test_figures_of_a_prediction_twice_as_far():
    truth = np.array([1.0, 2.0, 10.0])
    metrics = depth_metrics(2 * truth, truth)
    assert metrics.abs_rel == 1
    assert metrics.sq_rel == pytest.approx(13 / 3)
    assert metrics.rmse == pytest.approx(math.sqrt(105 / 3))
    assert metrics.rmse_log == pytest.approx(math.log(2))
    assert (metrics.a1, metrics.a2, metrics.a3) == (0, 0, 0)
    assert metrics.silog == pytest.approx(0, abs=1e-9)
    assert metrics.log10 == pytest.approx(math.log10(2))


def test_accuracy_excludes_its_own_bound():
    metrics = depth_metrics(np.array([1.25, 1.0]), np.array([1.0, 1.25]))
    assert (metrics.a1, metrics.a2) == (0, 1)


@given(pairs, st.floats(0.1, 10))
def test_silog_does_not_see_the_scale(pair, factor):
    prediction, truth = pair
    assert depth_metrics(factor * prediction, truth).silog == pytest.approx(
        depth_metrics(prediction, truth).silog, abs=1e-6
    )


@given(pairs)
def test_silog_is_the_pairwise_form_of_eigen(pair):
    prediction, truth = pair
    d = np.log(prediction) - np.log(truth)
    pairwise = np.sum((d[:, None] - d[None]) ** 2) / (2 * len(d) ** 2)
    assert depth_metrics(prediction, truth).silog == pytest.approx(
        100 * math.sqrt(pairwise), abs=1e-4
    )


def test_single_precision_is_accumulated_in_double():
    truth = np.full(3_000_000, 10, dtype=np.float32)
    prediction = truth + np.float32(0.1)
    expected = float(prediction[0]) - 10.0
    assert depth_metrics(prediction, truth).rmse == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_depth_without_a_logarithm_is_refused(wrong):
    with pytest.raises(ValueError, match="prediction of positive, finite metres"):
        depth_metrics(np.array([1.0, wrong]), np.array([1.0, 1.0]))
    with pytest.raises(ValueError, match="truth of positive, finite metres"):
        depth_metrics(np.array([1.0, 1.0]), np.array([1.0, wrong]))


def test_nothing_to_score_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        depth_metrics(np.zeros(0), np.zeros(0))
    with pytest.raises(ValueError, match="at least one image"):
        mean_metrics([])


def test_region_abs_rel_is_restricted_to_region_and_truth():
    truth = np.array([[1.0, 2.0], [0.0, 4.0]])
    prediction = np.array([[2.0, 2.0], [9.0, 5.0]])
    region = np.array([[False, True], [True, True]])
    assert region_abs_rel(prediction, truth, region) == pytest.approx((0 + 0.25) / 2)
    with pytest.raises(ValueError, match="one shape"):
        region_abs_rel(prediction, truth, region[:, :1])
    with pytest.raises(ValueError, match="at least one"):
        region_abs_rel(prediction, truth, np.zeros((2, 2), dtype=bool))


def metrics_of(value: float) -> DepthMetrics:
    return DepthMetrics.from_row([value] * len(DepthMetrics.names()))


def test_the_mean_counts_each_image_once():
    assert mean_metrics([metrics_of(1), metrics_of(4)]) == metrics_of(2.5)


@dataclass
class Image:
    metrics: DepthMetrics
    pixels: int
    log_bias: float

    @classmethod
    def of(cls, prediction: np.ndarray, truth: np.ndarray) -> "Image":
        bias = log_bias(prediction, truth)
        return cls(depth_metrics(prediction, truth), len(truth), bias)


@given(st.lists(pairs, min_size=1, max_size=4))
def test_pooled_figures_are_those_of_one_large_image(images):
    pooled = pooled_metrics(Image.of(*pair) for pair in images)
    whole = depth_metrics(*(np.concatenate(part) for part in zip(*images, strict=True)))
    for name in DepthMetrics.names():
        # Of SILog the root of a difference of large sums.
        tolerance = 1e-4 if name == "silog" else 1e-9
        assert getattr(pooled, name) == pytest.approx(
            getattr(whole, name), rel=1e-9, abs=tolerance
        ), name


def test_nothing_to_pool_is_refused():
    with pytest.raises(ValueError, match="at least one image"):
        pooled_metrics([])


def test_padding_of_the_sampler_is_dropped_by_id():
    kept = DepthMetricsByImage()
    kept.update({"drive 0000000001 l": metrics_of(1), "b": metrics_of(2)})
    kept.update({"c": metrics_of(6), "b": metrics_of(2)})
    assert list(kept.rows()) == ["b", "c", "drive 0000000001 l"]
    assert kept.compute()["abs_rel"].item() == pytest.approx(3)
    kept.reset()
    assert kept.rows() == {}


@given(st.dictionaries(st.text(st.characters(exclude_characters="\0", codec="utf-8")), depths))
@settings(max_examples=10)
def test_any_id_and_row_comes_back(values):
    kept = DepthMetricsByImage()
    kept.update({name: metrics_of(value) for name, value in values.items()})
    rows = kept.rows()
    assert set(rows) == set(values)
    for name, value in values.items():
        assert rows[name].silog == pytest.approx(value, rel=1e-6)


def test_a_kept_metric_survives_pickling_and_moving():
    kept = DepthMetricsByImage()
    kept.update({"a": metrics_of(1)})
    assert pickle.loads(pickle.dumps(kept)).to("cpu").rows() == {"a": metrics_of(1)}


def _gather_on_rank(rank: int, folder: str) -> None:
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2
    )
    kept = DepthMetricsByImage()
    # Rank 0 has the images a and b, rank 1 repeats a to fill its round and has the longer id.
    kept.update(
        {"a": metrics_of(1), "b": metrics_of(2)}
        if rank == 0
        else {"drive/long 0001 r": metrics_of(6), "a": metrics_of(1)}
    )
    one_sided = DepthMetricsByImage()
    if rank == 0:
        one_sided.update({"only here": metrics_of(5)})
    result = {
        "rows": kept.rows(),
        "mean": kept.compute()["a3"].item(),
        "again": kept.rows(),
        "one_sided": one_sided.rows(),
    }
    with open(f"{folder}/{rank}.pickle", "wb") as file:
        pickle.dump(result, file)
    torch.distributed.destroy_process_group()


def test_two_ranks_gather_one_row_for_each_image(tmp_path):
    mp.spawn(_gather_on_rank, args=(str(tmp_path),), nprocs=2)
    for rank in range(2):
        result = pickle.loads((tmp_path / f"{rank}.pickle").read_bytes())
        expected = {"a": metrics_of(1), "b": metrics_of(2), "drive/long 0001 r": metrics_of(6)}
        assert result["rows"] == result["again"] == expected
        assert result["mean"] == pytest.approx(3)
        assert result["one_sided"] == {"only here": metrics_of(5)}


def test_ratios_of_images_that_were_seen_twice_count_once() -> None:
    kept = DepthMetricsByImage()
    row = DepthMetrics(*(0.1 for _ in DepthMetrics.names()))
    kept.update({"a": row, "b": row}, {"a": 2.0, "b": 3.0})
    kept.update({"a": row, "c": row}, {"a": 2.0})
    two, three, unknown = kept.ratios()
    assert (two, three) == (2.0, 3.0)
    assert np.isnan(unknown)
    assert kept.rows()["a"].abs_rel == pytest.approx(0.1)
