"""Bounded depth and bounded log-scale."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from leadline.networks.heads import (
    LOG_SCALE_LIMIT,
    apply_in_full_precision,
    bounded_depth,
    bounded_log_scale,
)


def at(value: float) -> torch.Tensor:
    return torch.full((1, 1, 1, 1), value)


@pytest.mark.parametrize(
    ("sigma", "depth"), [(0, 100), (0.25, 0.39880), (0.5, 0.19980), (0.75, 0.13329), (1, 0.1)]
)
def test_known_depths(sigma: float, depth: float) -> None:
    logit = torch.tensor(float(sigma), dtype=torch.float64).logit().item()
    assert bounded_depth(at(logit), 0.1, 100).item() == pytest.approx(depth, abs=5e-6, rel=1e-6)


@given(st.floats(-1000, 1000), st.floats(0.01, 1), st.floats(2, 1000))
def test_depth_stays_in_its_range(logit: float, minimum: float, maximum: float) -> None:
    depth = bounded_depth(at(logit), minimum, maximum).item()
    assert minimum * (1 - 1e-5) <= depth <= maximum * (1 + 1e-5)


@given(st.floats(-1e6, 1e6))
def test_log_scale_is_bounded_and_the_identity_near_zero(logit: float) -> None:
    u = bounded_log_scale(at(logit)).item()
    assert abs(u) <= LOG_SCALE_LIMIT
    assert math.copysign(1, u) == math.copysign(1, logit)
    if abs(logit) < 0.5:
        assert u == pytest.approx(logit, rel=3e-3)


def test_log_scale_finds_its_way_back_from_beyond_the_bound() -> None:
    logit = at(8.0).requires_grad_()
    u = bounded_log_scale(logit)
    (torch.exp(-u) * 0.1 + u).sum().backward()
    assert logit.grad is not None
    assert logit.grad.item() > 0.1


def test_layers_keep_their_precision_under_autocast() -> None:
    layer = nn.Conv2d(4, 2, 1)
    features = torch.randn(1, 4, 3, 3)
    with torch.autocast("cpu", torch.bfloat16):
        output = apply_in_full_precision(layer, features)
        assert layer(features).dtype == torch.bfloat16
    torch.testing.assert_close(output, layer(features), rtol=0, atol=0)
