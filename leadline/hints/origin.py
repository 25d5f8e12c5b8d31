"""Which images a hint was made of, and in which state: as its file records it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from leadline.files import file_state

ORIGIN_KEY = "made of"
"""Entry in the text of a hint file: JSON of `Origin.images`."""


@dataclass(frozen=True)
class Origin:
    """Both images of a pair, left first, by absolute path, each as `file_state` has it."""

    images: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, left: Path, right: Path) -> "Origin":
        """The pair as it is now; no image is opened.

        Raises:
            FileNotFoundError: an image is not there.
            ValueError: an image cannot be looked at.
        """
        states = {path: _state(path) for path in (left, right)}
        return cls({str(path.resolve()): state for path, state in states.items()})

    @classmethod
    def parse(cls, texts: Mapping[str, str]) -> "Origin | None":
        """What a hint file recorded; None if it did not, as those of older versions.

        Raises:
            ValueError: the record is damaged.
        """
        text = texts.get(ORIGIN_KEY)
        if text is None:
            return None
        try:
            return cls({path: (size, time) for path, (size, time) in json.loads(text).items()})
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f"expected the images of a hint, got {text!r} ({error})") from None

    def recorded(self) -> dict[str, str]:
        """As text for a hint file."""
        return {ORIGIN_KEY: json.dumps(self.images)}

    @property
    def newest(self) -> int:
        """Nanoseconds at which an image was last changed."""
        return max(time for _, time in self.images.values())

    def is_same(self, other: "Origin") -> bool:
        """Whether names and states agree; a data set may move with them."""
        return self._named() == other._named()

    def place_differs(self, other: "Origin") -> str:
        """The first image that lies elsewhere in `other`; nothing where all lie where they lay."""
        pairs = zip(self.images, other.images, strict=False)
        return next(
            (f"of {mine} instead of {theirs}" for mine, theirs in pairs if mine != theirs), ""
        )

    def _named(self) -> list[tuple[str, tuple[int, int]]]:
        return [(PurePath(path).name, state) for path, state in self.images.items()]


def _state(path: Path) -> tuple[int, int]:
    try:
        return file_state(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such image") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read as an image ({error})") from None
