"""The plain texts at the head of a PNG, read without an image library: a long job looks at many."""

import struct
import zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LENGTH_AND_KIND = struct.Struct(">I4s")
_CHECKSUM = struct.Struct(">I")
_HEADER_BYTES = 13
"""Of the chunk IHDR, which comes first."""


def plain_texts(head: bytes) -> dict[str, str] | None:
    """Entries of the chunks tEXt before the pixels, by key.

    None wherever `head` holds anything else, is damaged, or ends before the pixels: then only a
    full reader can say what the file is.
    """
    if not head.startswith(_SIGNATURE):
        return None
    texts: dict[str, str] = {}
    at = len(_SIGNATURE)
    first = True
    while at + _LENGTH_AND_KIND.size <= len(head):
        length, kind = _LENGTH_AND_KIND.unpack_from(head, at)
        if kind == b"IDAT" and not first:
            return texts
        end = at + _LENGTH_AND_KIND.size + length
        if end + _CHECKSUM.size > len(head):
            return None
        checked = head[at + _CHECKSUM.size : end]
        if zlib.crc32(checked) != _CHECKSUM.unpack_from(head, end)[0]:
            return None
        if first and (kind != b"IHDR" or length != _HEADER_BYTES):
            return None
        if not first:
            key, nul, text = checked[len(kind) :].partition(b"\0")
            if kind != b"tEXt" or not nul:
                return None
            texts[key.decode("latin-1")] = text.decode("latin-1")
        first = False
        at = end + _CHECKSUM.size
    return None
