"""Depth of photographs by a trained model, at the size of the photographs."""

from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from leadline.data.crop_bottom import check_crop_bottom, upper_rows
from leadline.data.depth_resize import Resize, resized_depth
from leadline.data.image_files import image_size
from leadline.data.image_tensors import load_image
from leadline.geometry.depth import to_full_size
from leadline.inference.flip import blend_flipped
from leadline.inference.model_folder import ModelConfig, load_predictor
from leadline.offset import TARGET
from leadline.synthesis.predict import FeatureLearning
from leadline.types import Batch


class DepthPredictor:
    """A trained depth network, ready to be asked.

    Depth is in metres where `config.metric` says so, and else right up to one unknown factor.

    Args:
        predictor: a predictor with a `depth` network, in evaluation mode.
        config: what its model folder says of it.
        size: (h, w) that the network sees; by default that of its training.
        flip: blend each prediction with that of the mirrored picture [monodepth].
        device: where the network runs; by default a GPU if there is one.
        crop_bottom: share of each picture's height, at its bottom, that the network is not shown
            and where no depth is predicted; by default that of its training.

    Raises:
        ValueError: an impossible size or share, or a device that is not there.
    """

    def __init__(
        self,
        predictor: nn.Module,
        config: ModelConfig,
        size: tuple[int, int] | None = None,
        flip: bool = False,
        device: str | torch.device | None = None,
        crop_bottom: float | None = None,
    ) -> None:
        self.config = config
        self.crop_bottom = config.crop_bottom if crop_bottom is None else crop_bottom
        check_crop_bottom(self.crop_bottom)
        self.size = config.size if size is None else size
        if min(self.size) < 1:
            raise ValueError(f"size: expected a positive height and width, got {self.size}")
        self.flip = flip
        self.device = _device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._predictor = predictor.to(self.device).eval()

    @classmethod
    def load(
        cls,
        folder: str | Path,
        size: tuple[int, int] | None = None,
        flip: bool = False,
        device: str | torch.device | None = None,
        crop_bottom: float | None = None,
    ) -> "DepthPredictor":
        """The model of a folder written by training.

        Raises:
            FileNotFoundError: there is no model.
            ValueError: it cannot be read, is damaged, or sees no depth.
        """
        predictor, config = load_predictor(Path(folder))
        if isinstance(predictor, FeatureLearning):
            raise ValueError(
                f"{folder}: expected a network that sees depth, got one that learns features; "
                f"train `featdepth_m` or `featdepth_ms` with `--extractor {folder}`"
            )
        return cls(predictor, config, size, flip, device, crop_bottom)

    def __call__(self, path: str | Path) -> Float32[np.ndarray, "h w"]:
        """Depth of the image at `path`, at its native size, turned upright as its camera noted;
        0 in the rows at the bottom that the network is not shown.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is no image, or damaged.
        """
        image, native = self.load_image(Path(path), upright=True)
        return to_native(self.inverse_depth(image[None])[0], native, self.crop_bottom)

    def load_image(
        self, path: Path, upright: bool
    ) -> tuple[UInt8[Tensor, "3 h w"], tuple[int, int]]:
        """The image at the network's size, and its native size; either turned upright as its camera
        noted, or as it is stored.

        Raises:
            FileNotFoundError, ValueError: as for a call.
        """
        native = image_size(path, upright)
        return load_image(path, self.size, native, upright, self.crop_bottom), native

    @property
    def looks_at_sources(self) -> bool:
        """Whether the network sees more in a frame with neighbours than in one alone."""
        return bool(getattr(self._predictor, "looks_at_sources", False))

    @torch.inference_mode()
    def inverse_depth_with_sources(
        self, batch: Batch, mirrored: Batch | None = None
    ) -> list[Float32[np.ndarray, "h w"]]:
        """Inverse depth of the targets of a batch that is at the network's size and device, blended
        with that of the same batch mirrored, if it is given.

        Raises:
            ValueError: the network predicts something else than positive numbers.
        """
        plain = self._finest(batch)
        if mirrored is None:
            return list(plain)
        others = self._finest(mirrored)
        return [blend_flipped(one, other) for one, other in zip(plain, others, strict=True)]

    @torch.inference_mode()
    def inverse_depth(self, images: UInt8[Tensor, "b 3 h w"]) -> list[Float32[np.ndarray, "h w"]]:
        """Inverse depth of images that are at the network's size already.

        Raises:
            ValueError: the network predicts something else than positive numbers.
        """
        batch = images.to(self.device).float() / 255
        plain = self._network_inverse_depth(batch)
        if not self.flip:
            return list(plain)
        mirrored = self._network_inverse_depth(batch.flip(-1))
        return [blend_flipped(one, other) for one, other in zip(plain, mirrored, strict=True)]

    def _network_inverse_depth(self, batch: Tensor) -> Float32[np.ndarray, "b h w"]:
        return self._finest(as_batch(batch, self.config.unit))

    def _finest(self, batch: Batch) -> Float32[np.ndarray, "b h w"]:
        depth = self._predictor(batch).depth[TARGET]
        scale = min(depth)
        inverse_depth = to_full_size(1 / depth[scale].float(), scale, batch.size)[:, 0]
        if not (inverse_depth.isfinite() & (inverse_depth > 0)).all():
            raise ValueError(
                "expected positive depth from the model, got values that are not; its weights are "
                "damaged, or its training went astray: train or copy it again"
            )
        return np.asarray(inverse_depth.cpu().numpy())


def _device(name: str | torch.device) -> torch.device:
    expected = f"device: expected cpu, cuda, mps or another that torch finds here, got {name}"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(expected) from None
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"{expected} ({str(error).splitlines()[0]})") from None
    return device


def to_native(
    inverse_depth: Float32[np.ndarray, "_ _"],
    native: tuple[int, int],
    crop_bottom: float = 0.0,
    resize: Resize = "inverse_depth",
) -> Float32[np.ndarray, "h w"]:
    """Depth at `native` size (h, w), 0 in the rows of the share `crop_bottom`; what is interpolated
    is inverse depth, as in training, unless `resize` says otherwise.
    """
    rows, width = upper_rows(native[0], crop_bottom), native[1]
    depth = np.zeros(native, np.float32)
    if resize == "inverse_depth":
        depth[:rows] = 1 / cv2.resize(inverse_depth, (width, rows), interpolation=cv2.INTER_LINEAR)
    else:
        depth[:rows] = resized_depth(1 / inverse_depth, rows, width, resize)
    return depth


def as_batch(images: Tensor, unit: float) -> Batch:
    """Single images as a batch of targets without sources."""
    return Batch(
        ids=tuple(str(i) for i in range(len(images))),
        images={TARGET: images},
        inputs={TARGET: images},
        available={TARGET: torch.ones(len(images), dtype=torch.bool, device=images.device)},
        unit=unit,
    )
