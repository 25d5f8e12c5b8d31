"""Eigen's two stages: published shapes, true centres, and what rests while the other learns."""

import pytest
import torch
from torch.nn import functional

from leadline.networks.eigen import GRID, EigenNetwork, Stage, map_size

SMALL = (60, 76)


def test_layers_of_the_paper() -> None:
    network = EigenNetwork((228, 304), "fine").eval()
    shapes: list[tuple[int, ...]] = []
    for part in (*network.coarse, *network.whole, network.coarse_map, *network.edges, network.fine):
        part.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape[1:])))
    maps = network.log_maps(torch.rand(1, 3, 228, 304))
    seen = [shape for k, shape in enumerate(shapes) if k == 0 or shape != shapes[k - 1]]
    assert seen == [
        (96, 55, 74),
        (96, 27, 37),
        (256, 27, 37),
        (256, 13, 18),
        (384, 13, 18),
        (256, 13, 18),
        (256, 6, 9),
        (256 * 6 * 9,),
        (4096,),
        (55 * 74,),
        (63, 110, 148),
        (63, 55, 74),
        (64, 55, 74),
    ]
    assert {stage: tuple(x.shape) for stage, x in maps.items()} == {
        "coarse": (1, 1, 55, 74),
        "fine": (1, 1, 55, 74),
    }


@pytest.mark.parametrize("size", [(172, 576), (228, 304), (60, 76), (39, 39), (61, 79)])
def test_both_stages_have_the_map_of_every_size(size: tuple[int, int]) -> None:
    network = EigenNetwork(size, "fine").eval()
    coarse, fine = network.log_maps(torch.rand(2, 3, *size)).values()
    assert coarse.shape == fine.shape == (2, 1, *map_size(*size))
    assert network(torch.rand(2, 3, *size)).depth[0].shape == (2, 1, *size)


def test_pixels_of_the_maps_lie_where_the_grid_says() -> None:
    """The gradient of a pixel in the middle of either stack is centred on its pixel of the image:
    with weights that are all alike nothing draws it to one side.
    """
    image = torch.rand(1, 3, *SMALL, dtype=torch.double, requires_grad=True)
    first = functional.conv2d(image, torch.ones(1, 3, 11, 11, dtype=torch.double), stride=4)
    edges = functional.conv2d(image, torch.ones(1, 3, 9, 9, dtype=torch.double), stride=2)
    row, column = 6, 8
    for stack in (first, functional.avg_pool2d(edges, 2)):
        assert stack.shape[-2:] == map_size(*SMALL)
        (weight,) = torch.autograd.grad(stack[0, 0, row, column], image)
        weight = weight.sum((0, 1))
        rows, columns = torch.arange(SMALL[0]) * 1.0, torch.arange(SMALL[1]) * 1.0
        centre = (weight.sum(1) @ rows.double(), weight.sum(0) @ columns.double())
        for found, index in zip(centre, (row, column), strict=True):
            assert found.item() / weight.sum().item() == pytest.approx(
                GRID.centre + GRID.stride * index
            )


@pytest.mark.parametrize("stage", ["coarse", "fine"])
def test_one_stage_learns_and_the_other_rests(stage: Stage) -> None:
    network = EigenNetwork(SMALL, stage)
    learns = {name.partition(".")[0] for name, p in network.named_parameters() if p.requires_grad}
    first, second = {"coarse", "whole", "coarse_map"}, {"edges", "fine", "fine_map"}
    assert learns == (first if stage == "coarse" else second)
    assert network.whole.training == (stage == "coarse")
    network.eval()
    assert not network.whole.training
    image = torch.rand(2, 3, *SMALL)
    network.train()
    # Dropout belongs to the learning of the first stage alone.
    same = torch.equal(*(network(image).depth[0] for _ in range(2)))
    assert same == (stage == "fine")
    network(image).depth[0].sum().backward()
    touched = {n.partition(".")[0] for n, p in network.named_parameters() if p.grad is not None}
    assert touched == learns


def test_the_second_stage_starts_from_the_first_ones_weights() -> None:
    first = EigenNetwork(SMALL, "coarse").eval()
    second = EigenNetwork(SMALL, "fine").eval()
    second.load_state_dict(first.state_dict())
    image = torch.rand(1, 3, *SMALL)
    coarse = second.log_maps(image)["coarse"]
    torch.testing.assert_close(coarse, first.log_maps(image)["coarse"])


def test_before_learning_it_sees_about_the_initial_depth() -> None:
    network = EigenNetwork(SMALL, initial_depth=3.0).eval()
    depth = network(torch.rand(1, 3, *SMALL)).depth[0]
    assert 2.0 < depth.median() < 4.5


def test_at_the_start_the_map_depends_on_the_picture() -> None:
    torch.manual_seed(0)
    network = EigenNetwork((228, 304)).eval()
    maps = network.log_maps(torch.rand(4, 3, 1, 1).expand(4, 3, 228, 304))["coarse"]
    assert maps.std(dim=0).mean() > 0.05


def test_images_of_another_size_are_refused() -> None:
    network = EigenNetwork(SMALL)
    with pytest.raises(ValueError, match=r"expected images of the size \[60, 76\].*\[64, 96\]"):
        network(torch.rand(1, 3, 64, 96))
    with pytest.raises(ValueError, match="39 x 39 or more, got 38 x 76"):
        EigenNetwork((38, 76))
