"""Public test vectors, which lie beside the repository; tests without them are skipped."""

import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "bips"


def load(name: str) -> Any:
    """The vectors of a file, whole."""
    if not FOLDER.is_dir():
        pytest.skip(
            "the public test vectors are not beside the repository", allow_module_level=True
        )
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))
