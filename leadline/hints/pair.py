"""One stereo pair on disk -> the hint files of its views, with figures on their quality."""

import warnings
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, UnidentifiedImageError

from leadline.data.confidence_files import confidence_path, write_confidence
from leadline.data.depth_files import write_disparity
from leadline.hints.consistent import consistent_hints
from leadline.hints.fuse import SIXTEENTHS, fuse, identity_error
from leadline.hints.match import candidates
from leadline.hints.method import HintMethod
from leadline.hints.origin import Origin
from leadline.hints.view import NOTHING, Picture, ViewHint, mirrored_pair

_SIXTEEN_BIT_GREY = "I;16"
_EIGHT_BIT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV")


@dataclass(frozen=True)
class HintJob:
    """A rectified pair, and where within the folder of hints those of its views go.

    The path of a view is also its name wherever it is spoken of; None: this view is not wanted.
    """

    left: Path
    right: Path
    left_hint: PurePosixPath | None = None
    right_hint: PurePosixPath | None = None

    @property
    def hints(self) -> tuple[PurePosixPath, ...]:
        """The files wanted."""
        return tuple(path for path in (self.left_hint, self.right_hint) if path is not None)

    def without(self, views: Container[PurePosixPath]) -> "HintJob":
        """The same pair, of which these views are not wanted."""
        return replace(
            self,
            left_hint=None if self.left_hint in views else self.left_hint,
            right_hint=None if self.right_hint in views else self.right_hint,
        )


@dataclass(frozen=True)
class Quality:
    """Figures on one hint, kept in the text of its file."""

    coverage: float
    """Share of pixels that have a hint; the other figures are about these."""
    photometric_error: float
    """Mean error of the other view sampled along the hint [monodepth2]."""
    beats_identity: float
    """Share of pixels that it explains better than the other view left where it is."""
    shares: Mapping[str, float]
    """Share of pixels by the way in which they were found."""

    def recorded(self) -> dict[str, str]:
        """As text for a hint file."""
        shares = " ".join(f"{name}:{share:.4f}" for name, share in self.shares.items())
        return {
            "coverage": f"{self.coverage:.4f}",
            "photometric error": f"{self.photometric_error:.4f}",
            "beats identity": f"{self.beats_identity:.4f}",
            "chosen": shares,
        }

    @classmethod
    def parse(cls, texts: Mapping[str, str]) -> "Quality":
        """The figures that a hint file recorded.

        Raises:
            KeyError, ValueError: the file has none.
        """
        pairs = (pair.rsplit(":", 1) for pair in texts["chosen"].split())
        return cls(
            float(texts["coverage"]),
            float(texts["photometric error"]),
            float(texts["beats identity"]),
            {name: float(share) for name, share in pairs},
        )


def make_hints(job: HintJob, method: HintMethod, folder: Path) -> dict[PurePosixPath, Quality]:
    """Match, fuse and write the wanted views of one pair.

    Each file records method, images and quality in its text, nothing else: the same of the same
    images gives the same bytes.

    Raises:
        FileNotFoundError: an image is not there.
        ValueError: an image is damaged, has more than 8 bits, or the two differ in size.
        OSError: a hint cannot be written.
    """
    # Before they are read: an image that changes meanwhile is then found to have changed.
    origin = Origin.of(job.left, job.right)
    hints = view_hints(job, *load_pair(job.left, job.right, method.size), method)
    return {path: _write_hint(hint, path, method, origin, folder) for path, hint in hints.items()}


def view_hints(
    job: HintJob, left: Picture, right: Picture, method: HintMethod
) -> dict[PurePosixPath, ViewHint]:
    """The hints of the views that a job wants, of its pair as loaded."""
    if method.mode == "consistent":
        wanted = job.left_hint is not None, job.right_hint is not None
        found = consistent_hints(left, right, method.consistent, wanted)
        both = zip((job.left_hint, job.right_hint), found, strict=True)
        return {path: hint for path, hint in both if path is not None and hint is not None}
    hints = {}
    if job.left_hint is not None:
        hints[job.left_hint] = _fused_hint(left, right, str(job.left_hint), method)
    if job.right_hint is not None:
        # In the mirror the right view becomes a left one: OpenCV knows no other reference.
        mirror = mirrored_pair(left, right)
        hints[job.right_hint] = _fused_hint(*mirror, str(job.right_hint), method).mirrored()
    return hints


def load_pair(left: Path, right: Path, size: tuple[int, int]) -> tuple[Picture, Picture]:
    """Both images of a pair in RGB, resized to `size` (h, w) with PIL's Lanczos filter.

    Raises:
        FileNotFoundError: an image is not there.
        ValueError: an image is damaged, has more than 8 bits, or the two differ in size.
    """
    images = _open(left), _open(right)
    sizes = [f"{image.width}x{image.height}" for image in images]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"{left}: a rectified pair has one size, got {sizes[0]} and {sizes[1]} ({right})"
        )
    resized = [image.resize(size[::-1], Image.Resampling.LANCZOS) for image in images]
    return np.array(resized[0]), np.array(resized[1])


def _fused_hint(target: Picture, source: Picture, image: str, method: HintMethod) -> ViewHint:
    """Of a left target; see `fuse` for the mode `published`."""
    found = candidates(target, source, method.settings_for(image))
    fused = fuse(target, source, found, missing_may_win=method.mode == "published")
    choice = np.where(fused.disparity > 0, fused.choice, np.int8(NOTHING))
    return ViewHint(fused.disparity, choice, fused.error, identity_error(target, source))


def _write_hint(
    hint: ViewHint, path: PurePosixPath, method: HintMethod, origin: Origin, folder: Path
) -> Quality:
    quality = _quality(hint, method.choices_for(str(path)))
    texts = method.recorded() | origin.recorded() | quality.recorded()
    if hint.confidence is not None:
        # First, so that a hint that is there has its confidence beside it.
        write_confidence(confidence_path(folder, path), hint.confidence)
    write_disparity(folder / path, hint.disparity.astype(np.float32) / SIXTEENTHS, texts)
    return quality


def _quality(hint: ViewHint, choices: Sequence[str]) -> Quality:
    present = hint.disparity > 0
    number = max(int(present.sum()), 1)
    error = hint.error[present]
    better = error < hint.identity[present]
    chosen = np.bincount(hint.choice[present], minlength=len(choices))
    return Quality(
        float(present.mean()),
        float(error.sum(dtype=np.float64)) / number,
        int(better.sum()) / number,
        {name: int(n) / number for name, n in zip(choices, chosen, strict=True)},
    )


def _open(path: Path) -> Image.Image:
    try:
        # Whatever is worth telling of an image is told in our own words.
        with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
            if image.mode.startswith(_SIXTEEN_BIT_GREY):
                # The upper eight bits, as training reads such images.
                return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
            if image.mode not in _EIGHT_BIT_MODES:
                raise ValueError(f"expected 8 or 16 bits a channel, got mode {image.mode}")
            return image.convert("RGB")
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such image") from None
    except (
        *(UnidentifiedImageError, Image.DecompressionBombError),
        *(OSError, SyntaxError, ValueError),
    ) as error:
        raise ValueError(f"{path}: cannot be read as an image ({error})") from None
