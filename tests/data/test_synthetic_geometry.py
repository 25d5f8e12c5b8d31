"""Roads, meshes and rays against slow, obvious implementations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.data.synthetic.mesh import Mesh, box, is_sound, joined, placement, turned, unit_ball
from leadline.data.synthetic.raycast import MISS, Raycaster, faces_of
from leadline.data.synthetic.road import lay_roads
from leadline.data.synthetic.settings import Style
from leadline.data.synthetic.styles import STYLES
from leadline.data.synthetic.terrain import Terrain


def some_triangles(count: int, seed: int) -> Mesh:
    random = np.random.default_rng(seed)
    corners = random.uniform(-5, 5, (count, 1, 3)) + random.normal(0, 1.5, (count, 3, 3))
    uv = random.uniform(-1, 1, (count, 3, 2))
    return Mesh(corners, uv, np.arange(count, dtype=np.int32))


def nearest_by_brute_force(mesh: Mesh, origin, direction) -> tuple[int, float]:
    best = (MISS, np.inf)
    for number, (a, b, c) in enumerate(mesh.triangles.astype(np.float32).astype(np.float64)):
        matrix = np.stack([a - b, a - c, direction], axis=1)
        if abs(np.linalg.det(matrix)) < 1e-12:
            continue
        beta, gamma, t = np.linalg.solve(matrix, a - origin)
        if beta >= 0 and gamma >= 0 and beta + gamma <= 1 and 0 < t < best[1]:
            best = (number, t)
    return best


def test_rays_find_the_nearest_triangle_still_or_moving() -> None:
    still, moving = some_triangles(60, 1), some_triangles(40, 2)
    both = joined([still, moving])
    caster = Raycaster(still, np.zeros(60, np.int32)).with_moving(moving, np.ones(40, np.int32))
    random = np.random.default_rng(3)
    origins = random.uniform(-8, 8, (150, 3)).astype(np.float32).astype(np.float64)
    directions = random.normal(size=(150, 3)).astype(np.float32).astype(np.float64)
    face, distance = caster.nearest(origins, directions)
    expected = [nearest_by_brute_force(both, *ray) for ray in zip(origins, directions, strict=True)]
    assert [number for number, _ in expected] == face.tolist()
    assert np.allclose(distance, [t for _, t in expected], rtol=1e-9)
    assert (face == MISS).any()
    assert (face >= 60).any()
    assert ((face >= 0) & (face < 60)).any()


def test_something_in_the_way_blocks_only_within_reach() -> None:
    wall = box([2, -1, -1], [3, 1, 1], 0)
    caster = Raycaster(wall, np.zeros(len(wall.surface), np.int32))
    origin, ahead = np.zeros((1, 3)), np.array([1.0, 0, 0])
    assert caster.blocked(origin, ahead, 2.5)[0]
    assert not caster.blocked(origin, ahead, 1.5)[0]
    assert not caster.blocked(origin, -ahead, 10.0)[0]


def test_texture_coordinates_are_interpolated_over_the_triangle() -> None:
    mesh = some_triangles(20, 4)
    faces = faces_of(mesh, np.zeros(20, np.int32))
    weights = np.random.default_rng(5).dirichlet([1, 1, 1], 20)
    points = (weights[:, :, None] * mesh.triangles).sum(1)
    expected = (weights[:, :, None] * mesh.uv).sum(1)
    offset = points - faces.corner
    found = faces.uv + (faces.uv_gradient * offset[:, None]).sum(2)
    assert np.allclose(found, expected, atol=1e-5)


def test_a_ball_is_closed_and_of_radius_one() -> None:
    vertices, faces = unit_ball(2)
    assert np.allclose(np.linalg.norm(vertices, axis=1), 1)
    edges = {tuple(sorted(edge)) for f in faces for edge in (f[:2], f[1:], f[[0, 2]])}
    assert len(vertices) - len(edges) + len(faces) == 2


def test_collapsed_triangles_are_dropped() -> None:
    mesh = some_triangles(3, 6)
    mesh.triangles[1, 2] = mesh.triangles[1, 1]
    assert mesh.part(is_sound(mesh)).surface.tolist() == [0, 2]


def test_turning_is_multiplying_by_the_matrix() -> None:
    vectors = np.random.default_rng(7).normal(size=(4, 3, 3))
    matrix = placement(0, 0, 0, 0.7)[:3, :3] @ np.diag([1.0, 2, 3])
    assert np.allclose(turned(vectors, matrix), vectors @ matrix.T)


@pytest.mark.parametrize("style", list(Style))
@given(st.integers(0, 10), st.floats(-20, 120), st.floats(-12, 12))
def test_a_point_laid_out_along_the_road_is_found_there(
    style: Style, seed: int, s: float, d: float
) -> None:
    roads = lay_roads(STYLES[style], -40.0, 150.0, np.random.default_rng(seed))
    points, _ = roads.main.at(np.array([s]), d)
    found_s, found_d = roads.main.locate(points)
    assert found_s[0] == pytest.approx(s, abs=0.06)
    assert found_d[0] == pytest.approx(d, abs=0.03)


def test_clearance_is_the_distance_to_the_nearest_carriageway() -> None:
    roads = lay_roads(STYLES[Style.URBAN], -40.0, 150.0, np.random.default_rng(2))
    s = np.arange(-35, 145, 0.05)
    random = np.random.default_rng(0)
    points, _ = roads.main.at(random.uniform(0, 100, 50), random.uniform(-30, 30, 50))
    for point, clearance in zip(points, roads.clearance(points), strict=True):
        found, _ = roads.main.at(s)
        to_main = np.linalg.norm(found - point, axis=1).min() - roads.edge[0]
        to_sides = [
            np.abs(side.locate(point[None])[1][0]) - side.half_width for side in roads.sides
        ]
        assert roads.edge[0] == roads.edge[1]
        assert clearance == pytest.approx(min([to_main, *to_sides]), abs=0.05)


def test_the_mesh_of_the_ground_lies_on_the_height_function() -> None:
    numbers = STYLES[Style.COUNTRY]
    roads = lay_roads(numbers, -40.0, 100.0, np.random.default_rng(1))
    terrain = Terrain(roads, numbers, np.random.default_rng(2))
    mesh = terrain.mesh(0)
    caster = Raycaster(mesh, np.zeros(len(mesh.surface), np.int32))
    points, _ = roads.main.at(np.linspace(0, 90, 60), np.linspace(-15, 15, 60))
    above = np.concatenate([points, np.full((60, 1), 100.0)], axis=1)
    down = np.tile([0.0, 0, -1], (60, 1))
    _, fallen = caster.nearest(above, down)
    assert np.allclose(100 - fallen, terrain.height(points), atol=0.12)


def test_a_car_at_rest_touches_the_ground_on_both_axles() -> None:
    numbers = STYLES[Style.COUNTRY]
    roads = lay_roads(numbers, -40.0, 100.0, np.random.default_rng(1))
    terrain = Terrain(roads, numbers, np.random.default_rng(2))
    pose = terrain.resting(3.0, 4.0, 0.5)
    assert np.allclose(pose[:3, :3].T @ pose[:3, :3], np.eye(3))
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
    for local in ([1.3, 0, 0], [-1.3, 0, 0], [0, 0.75, 0], [0, -0.75, 0]):
        x, y, z = pose[:3, :3] @ local + pose[:3, 3]
        assert z == pytest.approx(terrain.height_at(x, y), abs=0.03)
