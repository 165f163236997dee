"""A fake node for each test that asks for one."""

from collections.abc import Iterator

import pytest

from tests.wallet.fake_node import FakeNode


@pytest.fixture
def node() -> Iterator[FakeNode]:
    """A fake chain behind a real HTTP server on loopback."""
    running = FakeNode()
    yield running
    running.close()
