"""The plain form that speeds are measured against computes the same loss and gradient."""

from dataclasses import replace

import torch
from plain.depth_hints import PlainDepthHints, sigmoid_to_depth
from plain.network import PlainDepthNetwork
from scenes import plane_batch
from training_step import plain_batch

from leadline.losses.proxy import ProxySupervision
from leadline.losses.reprojection import Reprojection
from leadline.losses.term import Objective, Weighted
from leadline.offset import STEREO, TARGET
from leadline.synthesis.errors import Explainer
from leadline.types import Predictions, Scene


def test_the_plain_loss_and_its_gradient_are_ours() -> None:
    torch.manual_seed(0)
    batch = plane_batch(size=(32, 48), sources=(STEREO,))
    assert batch.hint is not None
    assert batch.intrinsics is not None
    hint = batch.hint * (1 + 0.3 * torch.rand_like(batch.hint))
    hint[:, :, :, :10] = 0
    batch = replace(batch, hint=hint)
    sigmoids = [(torch.rand(2, 1, 32 >> s, 48 >> s) * 0.1).requires_grad_() for s in range(4)]

    depth = {s: sigmoid_to_depth(x) * batch.unit for s, x in enumerate(sigmoids)}
    predictions = Predictions(depth={TARGET: depth}, poses=dict(batch.known_poses))
    errors = Explainer()(batch, predictions, {"predicted", "identity", "hint"})
    terms = {
        "reprojection": Weighted(Reprojection(average_over="kept", hint_competes=True)),
        "hint": Weighted(ProxySupervision()),
    }
    ours, _ = Objective(terms)(Scene(batch, predictions, errors))

    plain = PlainDepthHints(32, 48)(sigmoids, plain_batch(batch))
    torch.testing.assert_close(ours, plain, atol=1e-4, rtol=1e-4)
    gradients = [torch.autograd.grad(loss, sigmoids) for loss in (ours, plain)]
    for own, other in zip(*gradients, strict=True):
        assert (own - other).norm() < 0.02 * other.norm()


def test_the_plain_network_is_the_one_of_the_recipe() -> None:
    assert sum(p.numel() for p in PlainDepthNetwork().parameters()) == 14_329_236
