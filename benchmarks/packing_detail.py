"""Does packing keep the detail that pooling loses? An autoencoder of each, on photographs.

The experiment of [packnet]: a picture is brought to half of its size by one layer and back by
another, four channels in between, no skips, so that all of its detail must pass through them: one
packing and one unpacking, against max-pooling and bilinear enlarging, each with 2-D convolutions.
No normalisation: it takes a picture's brightness away. As packing has more weights, the other way
is tried with wider convolutions of as many weights too, and with strided ones. Trained on the drive
without LiDAR, tested on the other one and on the pairs of 2015: L1, PSNR, and the share of the
picture's gradients that is kept, 1 - sum |grad(out) - grad(in)| / sum |grad(in)|. Equal steps and
crops, three seeds. Drawn is a street of the synthetic world, which no way was trained on: the
photographs have terms of their own.

    python benchmarks/packing_detail.py [--data FOLDER] [--jobs 2]
"""

import argparse
import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from stereo_drive import JPEG_DRIVE, PNG_DRIVE, data_argument, open_drives, setting
from torch import Tensor, nn

from leadline.colour import montage
from leadline.data.image_files import read_picture, write_picture
from leadline.data.sources.detect import open_source
from leadline.data.synthetic.generate import generate
from leadline.data.synthetic.settings import WorldSettings
from leadline.networks.packing import FACTOR, FOLDED, ChannelConvolution

CHANNELS, FEATURES, KERNEL = 4, 2, 3
WIDE = 10
"""Channels between the convolutions of the other way that give it as many weights as packing."""
STEPS, BATCH, CROP, RATE = 20_000, 8, 64, 3e-3
SEEDS = (0, 1, 2)
TABLE = Path(__file__).with_suffix(".md")
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "packing_detail.png"
STREET = WorldSettings(drives=2, frames=2, size=(640, 192), seed=11, velodyne=False)
SHOWN, ZOOM = slice(60, 156), slice(200, 360)
"""Rows and columns of it that are drawn."""


FINDINGS = """
The claim holds for what it says: of the gradients of a picture packing keeps a third more than any
other way, also one of as many weights, in every seed. It is not for nothing: four channels hold
either the detail or the colours, and packing gives up colours (a red lamp comes out yellow), so
that in L1 and PSNR a strided convolution with bilinear enlarging, the simplest way and the one of
ResNets, is the best.
"""


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, KERNEL, stride=stride, padding=KERNEL // 2), nn.ELU()
    )


def autoencoder(down: nn.Module, up: nn.Module) -> nn.Sequential:
    last = nn.Conv2d(CHANNELS, 3, KERNEL, padding=KERNEL // 2)
    return nn.Sequential(convolution(3, CHANNELS), down, up, last)


def packing() -> nn.Sequential:
    """As `leadline.networks.packing.Packing`, without normalisation."""
    return nn.Sequential(
        nn.PixelUnshuffle(FACTOR),
        ChannelConvolution(FEATURES),
        convolution(CHANNELS * FOLDED * FEATURES, CHANNELS),
    )


def unpacking() -> nn.Sequential:
    """As `leadline.networks.packing.Unpacking`, without normalisation."""
    return nn.Sequential(
        convolution(CHANNELS, CHANNELS * FOLDED // FEATURES),
        ChannelConvolution(FEATURES),
        nn.PixelShuffle(FACTOR),
    )


def pooling(wide: int | None = None) -> nn.Sequential:
    if wide is None:
        return nn.Sequential(convolution(CHANNELS, CHANNELS), nn.MaxPool2d(FACTOR))
    first, second = convolution(CHANNELS, wide), convolution(wide, CHANNELS)
    return nn.Sequential(first, nn.MaxPool2d(FACTOR), second)


def enlarging(wide: int | None = None) -> nn.Sequential:
    larger = nn.Upsample(scale_factor=FACTOR, mode="bilinear")
    if wide is None:
        return nn.Sequential(larger, convolution(CHANNELS, CHANNELS))
    return nn.Sequential(larger, convolution(CHANNELS, wide), convolution(wide, CHANNELS))


WAYS: Mapping[str, Callable[[], nn.Sequential]] = {
    "packing, unpacking": lambda: autoencoder(packing(), unpacking()),
    "max-pooling, bilinear": lambda: autoencoder(pooling(), enlarging()),
    "max-pooling, bilinear, as many weights": lambda: autoencoder(pooling(WIDE), enlarging(WIDE)),
    "strided, bilinear": lambda: autoencoder(
        convolution(CHANNELS, CHANNELS, stride=FACTOR), enlarging()
    ),
}


def photographs(data: Path, drive: str) -> list[Tensor]:
    source = open_drives(data)
    frames = [f for f in source.frames if f.sequence.endswith(drive) and f.camera == 0]
    return [_tensor(source.image_path(frame)) for frame in frames]


def test_photographs(data: Path) -> list[Tensor]:
    pairs = sorted((data / "kitti_stereo_2015" / "training" / "image_2").glob("*_10.png"))
    return [*photographs(data, PNG_DRIVE), *map(_tensor, pairs)]


def _tensor(path: Path) -> Tensor:
    picture = torch.from_numpy(read_picture(path)).permute(2, 0, 1).float() / 255
    height, width = (side // 4 * 4 for side in picture.shape[1:])
    return picture[:, :height, :width]


def train(way: str, seed: int, data: Path) -> tuple[str, int, nn.Sequential]:
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    network, pictures = WAYS[way](), photographs(data, JPEG_DRIVE)
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    # Crops depend on the seed alone, not on how a network uses chance.
    chance = np.random.default_rng(seed)
    for _ in range(STEPS):
        crops = torch.stack([_crop(pictures, chance) for _ in range(BATCH)])
        optimiser.zero_grad()
        (network(crops) - crops).abs().mean().backward()
        optimiser.step()
        schedule.step()
    return way, seed, network.eval()


def _crop(pictures: list[Tensor], chance: np.random.Generator) -> Tensor:
    picture = pictures[chance.integers(len(pictures))]
    top, left = (chance.integers(side - CROP + 1) for side in picture.shape[1:])
    return picture[:, top : top + CROP, left : left + CROP]


def figures(network: nn.Sequential, pictures: list[Tensor]) -> dict[str, float]:
    """Means over pictures."""
    rows = []
    for picture in pictures:
        again = reproduced(network, picture)
        error = again - picture
        lost = sum(float(g.abs().sum()) for g in _gradients(error))
        whole = sum(float(g.abs().sum()) for g in _gradients(picture))
        psnr = -10 * float(error.square().mean().log10())
        rows.append((float(error.abs().mean()), psnr, 1 - lost / whole))
    return dict(zip(("l1", "psnr", "kept"), np.mean(rows, axis=0).tolist(), strict=True))


def reproduced(network: nn.Sequential, picture: Tensor) -> Tensor:
    with torch.no_grad():
        again: Tensor = network(picture[None])[0].clamp(0, 1)
    return again


def _gradients(picture: Tensor) -> tuple[Tensor, Tensor]:
    return picture.diff(dim=1), picture.diff(dim=2)


def table(found: dict[tuple[str, int], dict[str, float]]) -> str:
    lines = [
        "# Does packing keep the detail that pooling loses?",
        "",
        f"`python benchmarks/packing_detail.py`. {setting()}. To half of the size and back by "
        f"{CHANNELS} channels, no skips, no normalisation; {STEPS} steps of {BATCH} crops of "
        f"{CROP}x{CROP}, Adam {RATE:g} on a cosine; 21 photographs to train on, 17 of other drives "
        f"to test. Mean ± standard deviation over seeds {SEEDS}.",
        "",
        "| way | weights | L1, of 255 | PSNR, dB | gradients kept |",
        "|---|---:|---|---|---|",
    ]
    for way, build in WAYS.items():
        weights = sum(p.numel() for p in build().parameters())
        values = {k: [found[way, seed][k] for seed in SEEDS] for k in ("l1", "psnr", "kept")}
        cells = [
            _spread([255 * v for v in values["l1"]], "{:.2f}"),
            _spread(values["psnr"], "{:.1f}"),
            _spread(values["kept"], "{:.3f}"),
        ]
        lines.append(f"| {way} | {weights:,} | {' | '.join(cells)} |")
    lines += ["", f"![Each way's reproduction](../docs/images/{PICTURE.name})"]
    return "\n".join(lines) + f"\n{FINDINGS}"


def _spread(values: list[float], form: str) -> str:
    return f"{form.format(np.mean(values))} ± {form.format(np.std(values, ddof=1))}"


def street() -> Tensor:
    with TemporaryDirectory() as folder:
        generate(folder, STREET, workers=1)
        source = open_source(Path(folder))
        return _tensor(source.image_path(source.frames[0]))


def draw(networks: Mapping[str, nn.Sequential], picture: Tensor) -> None:
    shown = {"picture": picture}
    shown |= {way: reproduced(network, picture) for way, network in networks.items()}
    cells = [
        np.ascontiguousarray((image[:, SHOWN, ZOOM].permute(1, 2, 0) * 255).round().byte().numpy())
        for image in shown.values()
    ]
    write_picture(PICTURE, montage(cells, list(shown), 3, 320))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data_argument(parser)
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, one thread each")
    options = parser.parse_args()
    data = options.data.resolve()
    pictures = test_photographs(data)
    networks, found = {}, {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        runs = [pool.submit(train, way, seed, data) for seed in SEEDS for way in WAYS]
        for run in runs:
            way, seed, network = run.result()
            found[way, seed] = figures(network, pictures)
            print(way, seed, found[way, seed], flush=True)
            if seed == SEEDS[0]:
                networks[way] = network
    TABLE.write_text(table(found))
    draw(networks, street())
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
