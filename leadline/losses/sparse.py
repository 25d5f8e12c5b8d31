"""Supervision by measured depth, sparse as a LiDAR's: a part of semi-supervised training."""

import torch

from leadline.geometry.depth import to_full_size
from leadline.losses.term import Need, Term
from leadline.losses.true_depth import measured_pixels, true_depth
from leadline.offset import TARGET
from leadline.types import LossValue, Scene


class SparseInverseDepth(Term):
    """Mean over measured pixels of |1/d - 1/d*|, at every scale, in network units [packnet].

    Each scale is brought to the size of the images as it is, by repeating its pixels; what was
    measured is never interpolated. In 1/m near things count most, as they do in the pictures.
    """

    needs = frozenset[Need]({"depth"})
    gives_scale = True

    def forward(self, scene: Scene) -> LossValue:
        truth, unit, size = true_depth(scene), scene.batch.unit, scene.batch.size
        measured = measured_pixels(scene, truth)
        inverse_truth = unit / truth.where(measured, 1.0)
        sums, counts = [], []
        for scale, depth in scene.predictions.depth[TARGET].items():
            inverse = unit * to_full_size(1 / depth, scale, size, "nearest")
            error = (inverse - inverse_truth).abs().where(measured, 0.0)
            sums.append(error.sum())
            counts.append(measured.sum())
        return LossValue(torch.stack(sums), torch.stack(counts).to(sums[0].dtype))
