from __future__ import annotations

import pytest

from intercom_core.changes.log import Change, Entity
from provisiond.sync.planner import Plan, plan
from provisiond.sync.progress import Progress, advance


@pytest.mark.parametrize(
    ("stored", "desired", "following", "tell"),
    [
        (Progress(), "A", Progress("A", "", ""), False),  # brand-new: it comes by itself
        (Progress("A", "", ""), "B", Progress("B", "", ""), False),
        (Progress("A", "", "A"), "A", Progress("A", "", "A"), False),
        (Progress("A", "", "A"), "B", Progress("B", "B", "A"), True),
        (Progress("B", "B", "A"), "B", Progress("B", "B", "A"), False),  # told once
        (Progress("B", "B", "A"), "C", Progress("C", "C", "A"), True),
        (
            Progress("B", "B", "A"),
            "A",
            Progress("A", "", "A"),
            False,
        ),  # undone before it pulled; doing it again tells again
        (Progress("B", "B", "B"), "B", Progress("B", "", "B"), False),  # pulled
        (Progress("A", "", "B"), "A", Progress("A", "A", "B"), True),  # undone just after it pulled
        (Progress("A", "", "", True), "B", Progress("B", "B", "", True), True),  # it pulled just before a crash
        (Progress("A", "", "A", True), "A", Progress("A", "", "A", True), False),
    ],
)
def test_who_is_told_and_when(stored: Progress, desired: str, following: Progress, tell: bool) -> None:
    assert advance(stored, desired) == (following, tell)
    again, told_again = advance(following, desired)
    assert (again, told_again) == (following, False)


def test_a_batch_of_changes_is_each_project_once() -> None:
    changes = [
        Change(Entity.DEVICE, 5, 2, "updated"),
        Change(Entity.RESIDENT, 9, 2, "created"),
        Change(Entity.PROJECT, 1, None, "deleted"),
        Change(Entity.CLAIM, 5, 2, "updated"),
        Change(Entity.REGISTRATION, 5, 3, "updated"),
        Change(Entity.COMMAND, 5, 4, "created"),
        Change(Entity.DEVICE, 6, None, "updated"),
    ]
    assert plan(changes) == Plan(projects=(1, 2), claims=(5,), registrations=(5,))
