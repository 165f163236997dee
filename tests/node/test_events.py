"""Events and effects are values: equal by what they say, and never changed."""

import dataclasses

import pytest

from node.events import Close, Dial, Effect, Event, LinkClosed, NetAddress, Received, Send, Tick
from node.messages import Ping


def test_they_are_values() -> None:
    assert Send(1, Ping(2)) == Send(1, Ping(2))
    assert Dial(NetAddress("127.0.0.1", 18444)) in {Dial(NetAddress("127.0.0.1", 18444))}
    assert LinkClosed(1) != Close(1, "")
    with pytest.raises(dataclasses.FrozenInstanceError):
        Received(1, "tx", b"").link = 2  # type: ignore[misc]


def test_the_unions_are_complete() -> None:
    assert isinstance(Tick(), Event)
    assert isinstance(Send(1, Ping(2)), Effect)
    assert not isinstance(Tick(), Effect)
