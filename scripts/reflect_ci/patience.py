"""How long to wait: between polls, after errors, and when to give up. Pure functions of times in seconds."""

from __future__ import annotations

import random
from typing import Optional

SHORTEST, LONGEST = 0.35, 10.0
SHARE = 0.085  # of the run's age: with the jitter, the end is noticed within 10 % of the run's length
RATE = 100.0  # polls a second over all executions of one call
FIRST_RETRY, LAST_RETRY = 0.5, 15.0


def poll_interval(age: float, active: int = 1, chance: float = -1.0) -> float:
    """Return the wait before the next poll of a run this old, when so many executions are under way.

    chance is a number from 0 to 1 that spreads the polls; drawn here unless given.
    """
    chance = random.random() if chance < 0 else chance
    floor = max(SHORTEST, active / RATE)
    return min(LONGEST, max(floor, age * SHARE)) * (1 + 0.05 * chance)


def retry_wait(failures: int, asked: Optional[float] = None) -> float:
    """Return the wait after so many failures in a row (1 or more); asked is the service's Retry-After, honoured if longer."""
    backoff = min(LAST_RETRY, FIRST_RETRY * 2.0 ** (failures - 1))
    return max(backoff, asked or 0.0)


def error_budget(timeout: float) -> float:
    """Return for how long answers may be unusable, one after another: a quarter of the deadline, two minutes at most."""
    return min(120.0, timeout / 4)


def request_limit(timeout: float) -> float:
    """Return how long one request may take in all: a quarter of the deadline, between 1 and 30 seconds."""
    return min(30.0, max(1.0, timeout / 4))


def not_found_window(timeout: float, started_here: bool) -> float:
    """Return for how long a new execution may be unknown (404) before that is believed."""
    return min(10.0, timeout / 4) if started_here else 0.0
