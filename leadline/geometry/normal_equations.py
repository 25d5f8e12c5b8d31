"""One damped least-squares step on the motions to several sources and the depth they share."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from leadline.geometry.feature_metric import Residual

TWIST = 6
LEAST_DIAGONAL = 1e-5
"""Added to what is damped [ba-net], so that an unknown on which nothing depends stays as it is."""
LEAST_PARALLAX = 0.1
"""sin^2 of the angle, 18 degrees, between the rays of target and source to a point: depth is damped
as if it were seen under no smaller one."""


class NormalEquations(NamedTuple):
    """J^T J and -J^T r: the step x for which J^T J x = -J^T r makes the linearised residual least.

    The unknowns are the twists of the sources, one after the other, then the weights of the basis.
    """

    matrix: Float[Tensor, "b k k"]
    right: Float[Tensor, "b k"]
    aside: Float[Tensor, "b _"]
    """Of each weight, a share of what its diagonal would be, were range seen from the side."""
    sources: int


def normal_equations(
    residual: Residual, sources: int, basis: Float[Tensor, "b k p"] | None = None
) -> NormalEquations:
    """Those of all sources of each sample, whose range is D = D_0 + sum_k w_k basis_k [ba-net].

    With g the gradient of the source's features (c, 2) and u_x the derivative of the pixel by the
    unknowns, the residual's Jacobian is -g u_x. The channels enter J^T J through the 2x2 matrix g^T
    g of each point alone, and the basis through one number for each of its maps: no Jacobian of
    channels by unknowns is ever stored. A sample's sources stand one after the other on the first
    axis of the residual. Without a basis the motions alone are unknown.

    Departure: [ba-net] damps weights in proportion to the diagonal of J^T J alone. That vanishes
    with the parallax, as before a motion has been found: the first weights then go anywhere, to
    depths below 0 too, from which nothing comes back, and with features that are still at random
    gradients grow a thousandfold. Here a tenth of what the diagonal would be, were range seen from
    the side, is damped as well. Steps are shorter; where they end is the same.
    """
    by_twist, by_range = residual.landing.by_twist, residual.landing.by_range
    metric = torch.einsum("bcip,bcjp->bijp", residual.gradient, residual.gradient)
    pull = torch.einsum("bcip,bcp->bip", residual.gradient, residual.values)
    twisted = torch.einsum("bijp,bjkp->bikp", metric, by_twist)
    twists = torch.einsum("bikp,bilp->bkl", by_twist, twisted)
    matrix = _side_by_side(twists, sources)
    right = _of_samples(torch.einsum("bikp,bip->bk", by_twist, pull), sources).flatten(1)
    if basis is None:
        return NormalEquations(matrix, right, right[:, :0], sources)
    both = torch.einsum("bikp,bip->bkp", twisted, by_range)
    coupling = _of_samples(both, sources).flatten(1, 2) @ basis.mT
    stretched = _of_samples(torch.einsum("bip,bijp,bjp->bp", by_range, metric, by_range), sources)
    weights = (basis * stretched.sum(1, keepdim=True)) @ basis.mT
    stretch = _of_samples(torch.einsum("bip,bip->bp", by_range, pull), sources).sum(1)
    # A point that moves by v: |P v|^2 summed over three directions of v.
    aside = torch.einsum("bikp,bikp->bp", by_twist[:, :, 3:], twisted[:, :, 3:])
    least = torch.einsum("bkp,bp->bk", basis.square(), _of_samples(aside, sources).sum(1))
    upper, lower = torch.cat([matrix, coupling], 2), torch.cat([coupling.mT, weights], 2)
    return NormalEquations(
        torch.cat([upper, lower], dim=1),
        torch.cat([right, torch.einsum("bkp,bp->bk", basis, stretch)], dim=1),
        LEAST_PARALLAX * least,
        sources,
    )


def _of_samples(values: Float[Tensor, "_ *k"], sources: int) -> Float[Tensor, "b n *k"]:
    result: Tensor = values.unflatten(0, (-1, sources))
    return result


def _side_by_side(blocks: Float[Tensor, "_ 6 6"], sources: int) -> Float[Tensor, "b k k"]:
    """The blocks of each sample's sources along the diagonal: no motion depends on another."""
    apart = torch.eye(sources, dtype=blocks.dtype, device=blocks.device)
    whole = torch.einsum("bnij,nm->bnimj", _of_samples(blocks, sources), apart)
    return whole.reshape(-1, sources * TWIST, sources * TWIST)


def damped_step(
    equations: NormalEquations, damping: Float[Tensor, "b"], of_weights: float = 1.0
) -> Float[Tensor, "b k"]:
    """The step of Levenberg and Marquardt: (J^T J + damping * diag(diag(J^T J) + 1e-5)) x = -J^T r,
    where turns no longer pull at movements; weights are damped `of_weights` times as much.

    `damping` > 0. Where nothing is known of an unknown, it stays: without a valid point the step is
    0. Solved in double precision where the device has it, and scaled to a diagonal of ones.
    Nobody asks the device whether it succeeded, for it would have to wait: of numbers that are not
    finite comes a step that is not.

    Departure: [ba-net] takes the diagonal of J^T J as it is. Turning the camera and moving it aside
    change a picture nearly alike; what tells them apart is a direction across both, of which the
    diagonal knows nothing, so that damping of the order of 1 stops it altogether: features that
    agree but for noise then give back the movement and never the turn. Here the diagonal is taken
    after the coupling of each turn with its movement has been eliminated. Where steps end is the
    same.
    """
    exact = torch.float32 if equations.matrix.device.type == "mps" else torch.float64
    apart = _decoupling(equations, exact)
    matrix = apart.mT @ equations.matrix.to(exact) @ apart
    right = apart.mT @ equations.right.to(exact)[..., None]
    diagonal = matrix.diagonal(dim1=-2, dim2=-1)
    twists = TWIST * equations.sources
    held = torch.cat(
        [diagonal[:, :twists], of_weights * (diagonal[:, twists:] + equations.aside.to(exact))],
        dim=1,
    )
    added = damping.to(exact)[:, None] * (held + LEAST_DIAGONAL)
    scale = torch.rsqrt(diagonal + added)
    scaled = scale[:, :, None] * (matrix + torch.diag_embed(added)) * scale[:, None]
    solution = torch.linalg.solve_ex(scaled, scale[..., None] * right).result
    step: Tensor = (apart @ (scale[..., None] * solution))[..., 0]
    return step.to(equations.right.dtype)


def _decoupling(equations: NormalEquations, exact: torch.dtype) -> Float[Tensor, "b k k"]:
    """x = A y with v = v' - M_vv^-1 M_vr r for the twist (r, v) of each source, and weights as they
    are.
    """
    count = equations.matrix.shape[-1]
    result = torch.eye(count, dtype=exact, device=equations.matrix.device)
    result = result.repeat(len(equations.matrix), 1, 1)
    half = TWIST // 2
    still = torch.eye(half, dtype=exact, device=result.device)
    for source in range(equations.sources):
        turn = slice(TWIST * source, TWIST * source + half)
        move = slice(TWIST * source + half, TWIST * (source + 1))
        moves = equations.matrix[:, move, move].to(exact)
        # As much as its own damping would hold what nothing is known of.
        least = LEAST_DIAGONAL * (1 + moves.diagonal(dim1=-2, dim2=-1).mean(-1))
        coupled = equations.matrix[:, move, turn].to(exact)
        pulled = torch.linalg.solve_ex(moves + least[:, None, None] * still, coupled).result
        result[:, move, turn] = -pulled
    return result
