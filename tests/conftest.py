"""Fixtures that tests of every part may use."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Time is not what properties are about, and a busy machine must not fail them.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of public test vectors beside the repository; tests that need it are skipped."""
    if not SHARED.is_dir():
        pytest.skip("the folder ../shared with public test vectors is not beside the repository")
    return SHARED
