"""Velocity supervision: metres for video, from the distance that the vehicle travelled."""

import torch

from leadline.losses.term import Need, Term
from leadline.types import LossValue, Scene


class Velocity(Term):
    """How far the predicted motion is from as long as the travelled distance [packnet].

    L_v = mean over sources and samples of | |t| - v dt |, in metres: no direction is asked for,
    speed and time are enough. A motion in metres makes the depth that explains the pictures
    with it a depth in metres. Sources whose distance is unknown do not count.

    Departure: the mean is over all motions whose distance is known; [packnet] takes the mean over
    sources of batch means, which is the same where all are known. There a network unit is a metre;
    here the weight is per metre in any unit.
    """

    needs = frozenset[Need]({"distance"})
    gives_scale = True

    def forward(self, scene: Scene) -> LossValue:
        batch, poses = scene.batch, scene.predictions.poses
        errors, known = [], []
        for offset, distance in batch.distance.items():
            if offset not in poses or offset not in batch.available:
                continue
            length = torch.linalg.vector_norm(poses[offset][:, :3, 3], dim=1)
            counts = batch.available[offset] & ~distance.isnan()
            # Not a number times 0 would be none either.
            errors.append((length - distance.nan_to_num()).abs().where(counts, 0.0))
            known.append(counts)
        if not errors:
            nothing = batch.images[next(iter(batch.images))].new_zeros(1)
            return LossValue(nothing, nothing)
        error, count = torch.stack(errors), torch.stack(known)
        return LossValue(error.sum()[None], count.sum()[None].to(error.dtype))
