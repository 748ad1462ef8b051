"""How long to wait before the next try: exponential, capped, and spread so that not all come back at once.

Full jitter as in M. Brooker, "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015): the wait is
uniform between nothing and the backoff. The randomness is a hash of who waits, so that a wait can be told
again later.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

__all__ = ["Attempt", "Backoff"]

_LONGEST = timedelta(days=3650)


@dataclass(frozen=True)
class Attempt:
    """Who waits: one try of one task instance.

    Attributes:
        dag_id: The DAG.
        run_id: The DAG run.
        task_id: The task.
        map_index: Which of a mapped task's instances; -1 of a task that is not mapped.
        try_number: The try that failed, from 1; clears do not reset it.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int

    def fraction(self) -> float:
        """Hash to a number in (0, 1], the same one whenever and wherever it is asked for."""
        words = (self.dag_id, self.run_id, self.task_id, str(self.map_index), str(self.try_number))
        digest = hashlib.blake2b("\0".join(words).encode(), digest_size=8).digest()
        return (int.from_bytes(digest) // 2**11 + 1) / 2**53


@dataclass(frozen=True)
class Backoff:
    """Exponential backoff.

    Attributes:
        delay: Wait after the first try, at the most where there is jitter.
        multiplier: Factor by which it grows with each try, at least 1.
        cap: Longest wait, or None.
        jitter: Whether the wait is uniform between zero and the backoff, rather than the backoff itself.
    """

    delay: timedelta
    multiplier: float = 1
    cap: timedelta | None = None
    jitter: bool = True

    def __post_init__(self) -> None:
        if self.delay < timedelta(0) or (self.cap is not None and self.cap <= timedelta(0)):
            raise ValueError("write a delay of zero or more and a cap above zero")
        if not 1 <= self.multiplier < float("inf"):
            raise ValueError("write a multiplier of 1 or more")

    def longest(self, tried: int) -> timedelta:
        """The wait after so many tries, without jitter.

        Args:
            tried: How many tries have failed, from 1.
        """
        limit = _LONGEST if self.cap is None else self.cap
        try:
            seconds = self.delay.total_seconds() * float(self.multiplier) ** (tried - 1)
        except OverflowError:
            return limit if self.delay else self.delay
        return min(limit, timedelta(seconds=min(seconds, limit.total_seconds())))

    def wait(self, tried: int, attempt: Attempt) -> timedelta:
        """The wait after so many tries.

        Args:
            tried: How many tries have failed since the task was started or last cleared, from 1.
            attempt: Who waits.
        """
        longest = self.longest(tried)
        return longest * attempt.fraction() if self.jitter else longest
