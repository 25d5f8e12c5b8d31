"""Sources exposed as the target is, where a network says what differs."""

from collections.abc import Mapping
from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from leadline.offset import Offset
from leadline.types import Batch


def exposed_as_target(
    batch: Batch, brightness: Mapping[Offset, Float[Tensor, "b 2"]] | None
) -> Batch:
    """The batch with a I + b in the place of each source I, for its gain a and offset b.

    Of a whole image, so that it may be done before as well as after the warp.
    """
    if brightness is None:
        return batch
    changed = {
        offset: change[:, 0, None, None, None] * batch.images[offset]
        + change[:, 1, None, None, None]
        for offset, change in brightness.items()
    }
    return replace(batch, images={**batch.images, **changed})
