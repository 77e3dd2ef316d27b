"""What bit-equality of a run depends on."""

import pytest

from nbnas.errors import ResumeError
from nbnas.identity import compare, identity


def test_versions_threads_and_device_are_part_of_the_identity():
    found = identity("cpu", 1)
    assert set(found) == {"device", "threads", "machine", "python", "torch", "numpy", "nbnas", "reproducible"}
    assert found["reproducible"]
    assert not identity("cuda:0", 1)["reproducible"]
    for name, value in (("device", "cuda:0"), ("threads", 7), ("torch", "1.0"), ("numpy", "1.0"), ("python", "2.7")):
        with pytest.raises(ResumeError, match=f"{name} was {value}, is"):
            compare({**found, name: value}, {**found, "threads": 1})
