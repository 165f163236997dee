"""The stores on disk that this machine can run, for tests that take each in turn."""

from importlib.util import find_spec

import pytest

ENGINES = [
    pytest.param(
        "leveldb",
        marks=pytest.mark.skipif(
            find_spec("plyvel") is None, reason="plyvel (LevelDB) has no wheel for this Python"
        ),
    ),
    "sqlite",
]
"""Skipped, saying so, where one is not installed: then nodes run on the other."""
