"""Fixtures that tests of every part may use."""

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Time is not what properties are about, and a busy machine must not fail them.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# A shell starts what runs in the background deaf to Ctrl-C, and children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of public test vectors beside the repository; tests that need it are skipped."""
    if not SHARED.is_dir():
        pytest.skip("the folder ../shared with public test vectors is not beside the repository")
    return SHARED
