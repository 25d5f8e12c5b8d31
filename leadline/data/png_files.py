"""Measured maps as PNG of one grey channel, 8 or 16 bits: any reader reads them, and soon."""

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8, UInt16
from PIL import PngImagePlugin

from leadline.data.image_files import decoded
from leadline.files import atomic_path

PNG_END = b"IEND\xaeB`\x82"
"""The last eight bytes of a complete PNG; some programs append notes of their own."""
_TAIL = 4096
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SIZE_AT = 16
"""Where width and height begin, four bytes each."""
_SIZE_END = 24
_HEADER_END = 33
"""Of signature and first chunk: texts may come after it."""


def write_png(
    path: Path,
    values: UInt8[np.ndarray, "h w"] | UInt16[np.ndarray, "h w"],
    settings: Mapping[str, str],
) -> None:
    """Write whole numbers, with `settings` in the PNG's text, one entry each.

    As OpenCV does by itself, with differences along rows, and run lengths in place of a search for
    matches: of the writers that were measured the one that is quick to write and to read
    (benchmarks/hints.md).
    """
    text = PngImagePlugin.PngInfo()
    for key, value in settings.items():
        text.add_text(key, value)
    texts = b"".join(_chunk(kind, data) for kind, data, *_ in text.chunks)
    encoded = cv2.imencode(".png", np.ascontiguousarray(values))[1].tobytes()
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded[:_HEADER_END] + texts + encoded[_HEADER_END:])


def read_png(path: Path) -> np.ndarray:
    """What a PNG holds, in the type and shape in which it holds it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, cut short or no PNG.
    """
    data = path.read_bytes()
    complete = PNG_END in data[-_TAIL:]
    values = decoded(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if complete else None
    if values is None:
        raise ValueError(
            f"{path}: damaged, truncated or no PNG; write the file anew (a hint by the same "
            "`leadline hints` again)"
        )
    return values


def png_size(path: Path) -> tuple[int, int]:
    """(h, w) as the first bytes of a PNG say; whether it is whole is not looked at.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no PNG.
    """
    with path.open("rb") as file:
        head = file.read(_SIZE_END)
    if not head.startswith(_SIGNATURE) or len(head) < _SIZE_END:
        raise ValueError(f"{path}: damaged or no PNG; write the file anew")
    width, height = struct.unpack_from(">II", head, _SIZE_AT)
    return height, width


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)
