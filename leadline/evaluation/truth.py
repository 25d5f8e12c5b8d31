"""The truth that a protocol is scored on: found in a data set, written out, and named."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from leadline.data.depth_files import write_depth
from leadline.data.sources.base import ACCUMULATED_MAPS, FORWARD_SWEEPS, FrameId, Source
from leadline.evaluation.names import id_to_stem
from leadline.evaluation.protocol import Protocol
from leadline.files import atomic_path, file_state, remove_leftovers

RECORD = "truth.json"
"""Says of each map beside it what kind of truth it is, and of which state of which files."""
RIGHT_KIND = {"eigen": FORWARD_SWEEPS, "improved": ACCUMULATED_MAPS}


def frames_with_truth(
    source: Source, protocol: Protocol, frames: Sequence[FrameId] | None = None
) -> list[FrameId]:
    """The frames that can be scored: those of `frames`, or all of the left camera.

    Raises:
        ValueError: none has such true depth as the protocol wants, or the first has it at another
            size than that is defined on.
    """
    wanted = protocol.truth
    asked = [frame for frame in source.frames if frame.camera == 0] if frames is None else frames
    found = [frame for frame in asked if frame in source and source.has_depth(frame, wanted)]
    if found:
        first = source.true_depth(found[0], wanted) if protocol.shape is not None else None
        if first is not None:
            protocol.check_shape(first)
        return found
    if wanted == "improved":
        raise ValueError(
            f"protocol {protocol.name}: expected {ACCUMULATED_MAPS} (proj_depth/groundtruth of the "
            f"drives) for some of {len(asked)} frames, found none: put data_depth_annotated there, "
            "or choose --protocol eigen"
        )
    raise ValueError(
        f"expected true depth for some of {len(asked)} frames, found none: give a data set "
        "with LiDAR (KITTI raw, DDAD, or one by `leadline synthetic`), or depth maps of your own "
        "by --predictions and --truth"
    )


def export_truth(
    source: Source, protocol: Protocol, frames: Sequence[FrameId], folder: Path
) -> None:
    """Write the true depth of the frames, to be scored by this or by another program.

    A map that is there is kept if it is of the kind that would be written, and the files that it
    was made from are as they were.
    """
    remove_leftovers([folder])
    paths = {frame: folder / f"{id_to_stem(str(frame))}.npz" for frame in frames}
    origins = {str(frame): _origin(source, protocol, frame) for frame in frames}
    recorded = _recorded(folder)
    for frame, path in paths.items():
        if recorded.get(str(frame)) != origins[str(frame)]:
            path.unlink(missing_ok=True)
    with atomic_path(folder / RECORD) as temporary:
        temporary.write_text(json.dumps({**recorded, **origins}, indent=1), encoding="utf-8")
    for frame, path in paths.items():
        depth = None if path.exists() else source.true_depth(frame, protocol.truth)
        if depth is not None:
            write_depth(path, depth)


def name_truth(folder: Path, image_ids: Sequence[str], protocol: Protocol) -> str:
    """What the truth in a folder is, and whether that is what the protocol is defined on.

    Raises:
        ValueError: the folder's record cannot be read.
    """
    recorded = _recorded(folder)
    if not recorded:
        return f"depth maps as they are in {folder}"
    kinds = [recorded.get(image_id, {}).get("kind") for image_id in image_ids]
    counts = Counter(str(kind or "of unknown origin") for kind in kinds)
    parts = [f"{kind} ({count} of {len(image_ids)} images)" for kind, count in counts.most_common()]
    named = next(iter(counts)) if len(counts) == 1 else "; ".join(parts)
    right = RIGHT_KIND.get(protocol.truth)
    return named if right is None or set(counts) == {right} else f"{named}, for want of {right}"


def _origin(source: Source, protocol: Protocol, frame: FrameId) -> dict[str, object]:
    files = source.truth_files(frame, protocol.truth)
    return {
        "kind": source.truth_kind(frame, protocol.truth),
        "files": {path.name: list(file_state(path)) for path in files},
    }


def _as_origin(value: object) -> Mapping[str, object]:
    # Earlier records hold the kind alone.
    return value if isinstance(value, Mapping) else {"kind": value}


def _recorded(folder: Path) -> Mapping[str, Mapping[str, object]]:
    path = folder / RECORD
    if not path.is_file():
        return {}
    try:
        recorded = dict(json.loads(path.read_text(encoding="utf-8")))
        return {image_id: _as_origin(value) for image_id, value in recorded.items()}
    except (TypeError, ValueError):
        raise ValueError(
            f"{path}: expected the kind of each depth map beside it, got something else; delete it"
        ) from None
