"""What all tests share: one thread, an own folder for runs, published data when it is there."""

import os

# Before numpy or torch load: tiny tensors run many times faster on one thread, and results depend on the number.
os.environ["OMP_NUM_THREADS"] = "1"

import sys
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def one_torch_thread():
    """Undoes what a test or a library did to the number of threads; torch is not imported for it."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def nbnas_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which runs are stored: never the user's own."""
    home = tmp_path / "nbnas-home"
    monkeypatch.setenv("NBNAS_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of published tables and data sets."""
    folder = os.environ.get("NBNAS_DATA")
    if not folder:
        pytest.skip("NBNAS_DATA is not set: no published data to check against")
    if not Path(folder).is_dir():
        pytest.fail(f"NBNAS_DATA must be an existing folder, got {folder!r}")
    return Path(folder)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("torch sees no GPU here")
