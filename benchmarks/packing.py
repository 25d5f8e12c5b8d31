"""What a packing of PackNet costs in three forms with the same weights and the same result.

usage: python benchmarks/packing.py

The five packings of PackNet01 for one image at 640x192, one thread, forward: the 3-D convolution as
such, then the 2-D one; the 3-D one as 2-D ones; both as one with a border; the same with the kernel
folded before, as prediction has it. CPU time, least of five, the forms in turn.
"""

import time
from collections.abc import Callable

import torch
from stereo_drive import setting
from torch import Tensor
from torch.nn import functional

from leadline.networks.packing import Packing, folding_pays
from leadline.networks.packnet import KERNELS, WIDTHS

HEIGHT, WIDTH, FEATURES = 192, 640, 8
REPEATS = 5


def as_published(layer: Packing, packed: Tensor) -> Tensor:
    inner = layer.expand
    volume = functional.conv3d(packed[:, None], inner.weight, inner.bias, padding=1)
    result: Tensor = layer.compress.convolution(volume.flatten(1, 2))
    return result


def cpu_ms(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return 1000 * (time.process_time() - start)


def main() -> None:
    torch.set_num_threads(1)
    print(f"{setting()}; one thread\n")
    print("| channels | size | published | 2-D | as one | kernel kept | chosen | difference |")
    print("|---:|---|---:|---:|---:|---:|---|---:|")
    sums = dict.fromkeys(("published", "chosen"), 0.0)
    for level, (width, size) in enumerate(zip(WIDTHS, KERNELS, strict=True)):
        rows, columns = HEIGHT >> (level + 1), WIDTH >> (level + 1)
        layer, packed = Packing(width, size, FEATURES), torch.randn(1, 4 * width, rows, columns)
        kernel = layer.folded_kernel().detach()
        forms = {
            "published": lambda: as_published(layer, packed),  # noqa: B023
            "2-D": lambda: layer.in_turn(packed),  # noqa: B023
            "as one": lambda: layer.as_one(packed),  # noqa: B023
            "kernel kept": lambda: layer.as_one(packed, kernel),  # noqa: B023
        }
        with torch.no_grad():
            expected = forms["published"]()
            off = max((form() - expected).abs().max() for form in forms.values())
            times = {
                name: min(cpu_ms(form) for _ in range(REPEATS)) for name, form in forms.items()
            }
        folds = folding_pays(packed.shape, size, FEATURES, kept=True)
        chosen = "kernel kept" if folds else "2-D"
        sums["published"] += times["published"]
        sums["chosen"] += times[chosen]
        cells = " | ".join(f"{ms:.0f} ms" for ms in times.values())
        error = float(off / expected.abs().max())
        print(f"| {4 * width} | {columns}x{rows} | {cells} | {chosen} | {error:.1e} |")
    print(
        f"\nAll five: {sums['published']:.0f} ms as published, {sums['chosen']:.0f} ms as chosen, "
    )
    print(f"{sums['published'] / sums['chosen']:.1f} times less.")


if __name__ == "__main__":
    main()
