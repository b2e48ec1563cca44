"""Marks: for cases of one test that take long together, and for what no hurried step can tell."""

import os
from collections.abc import Iterable
from typing import Any

import pytest

from tests.witness import hurried

every_step = pytest.mark.skipif(
    hurried.NAME in os.environ, reason="looks at what every step of a training computes"
)


def slow_except(cases: Iterable[Any], *fast: Any) -> list[Any]:
    """The cases of a test, those that are not among the fast ones marked `slow`."""
    return [case if case in fast else _slow(case) for case in cases]


def _slow(case: Any) -> Any:
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=pytest.mark.slow)
