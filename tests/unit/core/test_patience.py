"""How long the runner waits, as pure numbers."""

from __future__ import annotations

import pytest

from reflect_ci import patience


def polls(length: float, chance: float) -> tuple[int, float]:
    """Return how many polls a run of this length takes, and how long after its end the last one comes."""
    age, number = 0.0, 1
    while age < length:
        age += patience.poll_interval(age, chance=chance)
        number += 1
    return number, age - length


@pytest.mark.parametrize(("length", "most"), [(2, 8), (12, 28), (60, 60), (1800, 260)])
@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_the_end_is_noticed_soon_by_few_polls(length: float, most: int, chance: float) -> None:
    """The end is noticed within a tenth of the run's length (or the shortest interval), whatever the jitter draws."""
    number, late = polls(length, chance)
    assert number <= most
    assert late <= max(length / 10, patience.SHORTEST * 1.05, 0 if length < 100 else patience.LONGEST * 1.05)


def test_many_executions_share_a_rate() -> None:
    """A thousand young executions are not polled three times a second each."""
    assert patience.poll_interval(0.0, active=1000, chance=0.0) == pytest.approx(10.0)
    assert patience.poll_interval(0.0, active=10, chance=0.0) == patience.SHORTEST


def test_jitter_is_drawn() -> None:
    """Two executions of the same age are not polled in step for ever."""
    assert len({patience.poll_interval(50.0) for _ in range(20)}) > 1


def test_waits_after_failures() -> None:
    """Waits grow to a limit; a longer wait that the service asks for is honoured, a shorter one is not."""
    assert [patience.retry_wait(number) for number in (1, 2, 3, 9)] == [0.5, 1.0, 2.0, patience.LAST_RETRY]
    assert patience.retry_wait(1, 30.0) == 30.0
    assert patience.retry_wait(3, 0.0) == 2.0


def test_budgets_follow_the_deadline() -> None:
    """A short deadline leaves little patience, a long one not too much."""
    assert patience.error_budget(8.0) == 2.0
    assert patience.error_budget(1800.0) == 120.0
    assert (patience.request_limit(2.0), patience.request_limit(40.0), patience.request_limit(1800.0)) == (
        1.0,
        10.0,
        30.0,
    )
    assert patience.not_found_window(1800.0, started_here=True) == 10.0
    assert patience.not_found_window(1800.0, started_here=False) == 0.0
