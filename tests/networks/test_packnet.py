"""PackNet: the layer table and parameter counts of the paper's release, any size, any join."""

import pytest
import torch
from torch import Tensor, nn

from leadline.networks import packing, packnet
from leadline.networks.depth import RawDepth
from leadline.networks.packnet import WIDTHS, PackNet

SLIM = (32, 64, 128, 256, 512)
NARROW = (16, 16, 16, 32, 32)

LAYERS = {
    "first": (64, 192, 640),
    "encoder.0": (64, 192, 640),
    "packings.0": (64, 96, 320),
    "encoder.1": (64, 96, 320),
    "packings.1": (64, 48, 160),
    "encoder.2": (128, 48, 160),
    "packings.2": (128, 24, 80),
    "encoder.3": (256, 24, 80),
    "packings.3": (256, 12, 40),
    "encoder.4": (512, 12, 40),
    "packings.4": (512, 6, 20),
    "unpackings.4": (512, 12, 40),
    "merges.4": (512, 12, 40),
    "unpackings.3": (256, 24, 80),
    "merges.3": (256, 24, 80),
    "heads.3": (1, 24, 80),
    "unpackings.2": (128, 48, 160),
    "merges.2": (128, 48, 160),
    "heads.2": (1, 48, 160),
    "unpackings.1": (64, 96, 320),
    "merges.1": (64, 96, 320),
    "heads.1": (1, 96, 320),
    "unpackings.0": (64, 192, 640),
    "merges.0": (64, 192, 640),
    "heads.0": (1, 192, 640),
}
JOINED = {4: 768, 3: 384, 2: 193, 1: 129, 0: 129}
ADDED = {4: 256, 3: 128, 2: 65, 1: 65, 0: 65}


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        ({}, 128_294_020),
        ({"join": "add"}, 124_164_580),
        ({"widths": SLIM, "features": 4}, 76_997_796),
    ],
    ids=["01A", "01B", "Slim01A"],
)
def test_parameters(network: dict[str, object], parameters: int) -> None:
    with torch.device("meta"):
        built = PackNet(**network)  # type: ignore[arg-type]
    assert sum(p.numel() for p in built.parameters()) == parameters


def of_slim(layers: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Half the channels down to stride 2, those of 01 below."""
    halved = {
        f"{part}.{i}" for part in ("encoder", "packings", "unpackings", "merges") for i in (0,)
    }
    return {n: (s[0] // 2 if n in halved | {"first"} else s[0], *s[1:]) for n, s in layers.items()}


def of_sums(layers: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """What is unpacked meets the skips it is added to."""
    channels = {4: 256, 3: 128, 2: 64, 1: 64, 0: 64}
    changed = {f"unpackings.{i}": c for i, c in channels.items()}
    return {n: (changed.get(n, s[0]), *s[1:]) for n, s in layers.items()}


@pytest.mark.parametrize(
    ("network", "layers"),
    [
        ({}, LAYERS),
        ({"join": "add"}, of_sums(LAYERS)),
        ({"widths": SLIM, "features": 4}, of_slim(LAYERS)),
    ],
    ids=["01A", "01B", "Slim01A"],
)
def test_every_layer_has_the_shape_of_the_table(
    network: dict[str, object],
    layers: dict[str, tuple[int, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Autocast does not know the device without memory.
    monkeypatch.setattr(packing, "folding_pays", lambda *_, **__: False)
    monkeypatch.setattr(packnet, "apply_in_full_precision", lambda layer, maps: layer(maps))
    seen: dict[str, tuple[int, ...]] = {}
    with torch.device("meta"):
        built = PackNet(**network)  # type: ignore[arg-type]
        for name, layer in built.named_modules():
            if name in layers:

                def note(_: nn.Module, __: object, out: Tensor, name: str = name) -> None:
                    seen[name] = tuple(out.shape[1:])

                layer.register_forward_hook(note)
        raw = built(torch.empty(1, 3, 192, 640))
    assert seen == layers
    assert {s: tuple(d.shape[-2:]) for s, d in raw.depth.items()} == {
        0: (192, 640),
        1: (96, 320),
        2: (48, 160),
        3: (24, 80),
    }


@pytest.mark.parametrize(("join", "inputs"), [("concatenate", JOINED), ("add", ADDED)])
def test_what_meets_in_the_decoder(join: str, inputs: dict[int, int]) -> None:
    with torch.device("meta"):
        network = PackNet(join=join)  # type: ignore[arg-type]
    found = {i: merge.convolution.in_channels for i, merge in enumerate(network.merges)}
    assert found == inputs


@pytest.mark.parametrize("size", [(64, 96), (50, 70), (7, 5)])
def test_any_size(size: tuple[int, int]) -> None:
    raw = PackNet(NARROW, 4)(torch.rand(2, 3, *size), torch.eye(3).expand(2, 3, 3))
    for scale in range(4):
        rows, columns = (-(-side // 2**scale) for side in size)
        assert raw.depth[scale].shape == (2, 1, rows, columns)
    assert list(raw.depth) == [0, 1, 2, 3]


@pytest.mark.parametrize("join", ["concatenate", "add"])
def test_the_folded_network_is_the_plain_one(join: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pixel of every scale, the borders too; learning and not."""
    torch.manual_seed(0)
    network = PackNet(WIDTHS if join == "add" else NARROW, 4, join).eval()  # type: ignore[arg-type]
    image = torch.rand(1, 3, 64, 96)
    found = {}
    for folds in (True, False):
        monkeypatch.setattr(packing, "folding_pays", lambda *_, folds=folds, **__: folds)
        with torch.no_grad():
            found[folds] = network(image).depth
    for scale, plain in found[False].items():
        assert ((found[True][scale] - plain).abs() / plain).max() < 1e-4


def test_what_is_computed_again_learns_alike() -> None:
    """`recompute` saves memory and changes no gradient, dropout included."""
    gradients = []
    for recompute in (False, True):
        torch.manual_seed(0)
        network = PackNet(NARROW, 4, dropout=0.3, recompute=recompute)
        maps = network(torch.rand(2, 3, 32, 64)).depth
        torch.stack([depth.log().mean() for depth in maps.values()]).sum().backward()
        gradients.append({n: p.grad for n, p in network.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)


def test_half_precision() -> None:
    """Under autocast depth is full precision, learning and after; kernels are kept in full."""
    torch.manual_seed(0)
    network = PackNet(NARROW, 4)
    image = torch.rand(1, 3, 64, 96)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        depth = network(image).depth[0]
    assert depth.dtype == torch.float32
    depth.mean().backward()
    network.eval()
    with torch.no_grad():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = network(image).depth[0]
        full = network(image).depth[0]
    assert half.dtype == full.dtype == torch.float32
    torch.testing.assert_close(half, full, rtol=0.1, atol=0)


def test_inverse_depth_is_twice_a_sigmoid() -> None:
    network = PackNet(NARROW, 4)
    for logit in (-30.0, 0.0, 30.0):
        for head in network.heads:
            nn.init.zeros_(head.weight)
            nn.init.constant_(head.bias, logit)
        inverse = 1 / network(torch.rand(1, 3, 32, 32)).depth[0]
        expected = 2 * torch.sigmoid(torch.tensor(logit)) + 1e-6
        torch.testing.assert_close(inverse, expected.expand_as(inverse), rtol=1e-5, atol=1e-7)


def test_first_depths_are_those_asked_for() -> None:
    depth = PackNet(NARROW, 4, initial_depth=7.0)(torch.rand(1, 3, 64, 64)).depth
    for values in depth.values():
        assert 7 / 2 < values.median().item() < 7 * 2


def test_it_learns_to_tell_left_from_right() -> None:
    torch.manual_seed(0)
    network = PackNet(NARROW, 2, initial_depth=4.0)
    image = torch.zeros(2, 3, 32, 64)
    image[0, :, :, :32] = 1
    image[1, :, :, 32:] = 1
    wanted = 2 + 6 * image[:, :1]
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    losses = []
    for _ in range(30):
        raw: RawDepth = network(image)
        loss = (raw.depth[0].log() - wanted.log()).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_what_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="minimum_depth < maximum_depth"):
        PackNet(NARROW, 4, minimum_depth=2, maximum_depth=1)
    with pytest.raises(ValueError, match=r"can be added, got 64 and 32 at stride 2"):
        PackNet(SLIM, 4, join="add")
    assert WIDTHS == (64, 64, 128, 256, 512)
