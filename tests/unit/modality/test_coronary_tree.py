from __future__ import annotations

import numpy as np
import pytest

from isocenter.modality.coronary_tree import OSTIUM, Branch, beating, catheter, make_coronary_tree
from isocenter.modality.echo import SYSTOLE


def _tree(*, has_stenosis: bool = False) -> tuple[Branch, ...]:
    return make_coronary_tree(np.random.default_rng(4), has_stenosis=has_stenosis)


def test_blood_reaches_every_branch_after_its_parent() -> None:
    main, *rest = _tree()
    assert main.path_mm[0] == 0
    assert all(branch.path_mm[0] >= main.path_mm[-1] - 1e-9 for branch in rest)
    assert all((np.diff(branch.path_mm) >= 0).all() for branch in rest)


def test_every_branch_begins_on_another() -> None:
    tree = _tree()
    for number, branch in enumerate(tree[1:], start=1):
        others = np.concatenate([other.points for other in tree[:number]])
        assert np.linalg.norm(others - branch.points[0], axis=1).min() < 1e-6


def test_vessels_get_thinner_on_their_way() -> None:
    assert all(branch.radii_mm[-1] < branch.radii_mm[0] for branch in _tree())


def test_a_narrowing_lies_in_the_descending_artery_alone() -> None:
    healthy, ill = _tree(), _tree(has_stenosis=True)
    changed = [not np.allclose(a.radii_mm, b.radii_mm) for a, b in zip(healthy, ill, strict=True)]
    assert changed[1]
    assert not any(changed[2:8])
    assert ill[1].radii_mm.min() < 0.55 * healthy[1].radii_mm[8]


def test_the_catheter_ends_in_the_ostium() -> None:
    assert np.allclose(catheter().points[-1], OSTIUM)


@pytest.mark.parametrize("phase", [0.0, 0.7])
def test_a_heart_at_rest_is_where_it_was_made(phase: float) -> None:
    points = _tree()[1].points
    assert np.allclose(beating(points, phase), points)


def test_arteries_come_nearer_to_each_other_as_the_heart_contracts() -> None:
    tree = _tree()
    points = np.concatenate([branch.points for branch in tree])
    assert np.ptp(beating(points, SYSTOLE), axis=0).prod() < 0.85 * np.ptp(points, axis=0).prod()
