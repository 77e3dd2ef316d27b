"""What is declared in several files is the same everywhere."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements(name: str) -> list[Requirement]:
    """The requirements in one of the files in the root."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]


def declared() -> list[Requirement]:
    """Every requirement of the package and its extras on something else."""
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    found = [Requirement(text) for group in groups for text in group]
    return [requirement for requirement in found if requirement.name != PROJECT["name"]]


def test_the_environment_file_holds_no_versions_of_its_own():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, pip, pip_part = environment["dependencies"]
    assert python == f"python{PROJECT['requires-python']}"
    assert pip == "pip"
    constraint, editable = pip_part["pip"]
    assert (ROOT / constraint.removeprefix("-c ")).samefile(ROOT / "constraints.txt")
    extra = re.fullmatch(r"-e \.\[(\w+)\]", editable)
    assert extra is not None
    assert extra[1] in PROJECT["optional-dependencies"]


def test_torch_is_pinned_to_one_public_version():
    """Without the exact pin an installer takes the newest CUDA build; a local version (+cpu) exists on few indexes."""
    (torch,) = [pin for pin in requirements("constraints.txt") if pin.name == "torch"]
    assert re.fullmatch(r"==\d+\.\d+\.\d+", str(torch.specifier))


def test_constraints_are_exact_and_name_no_host():
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert not re.search(r"://|--|@|file:", text)
    for pin in requirements("constraints.txt"):
        assert [specifier.operator for specifier in pin.specifier] == ["=="], pin


def test_constraints_hold_every_pin():
    constraints = {str(pin) for pin in requirements("constraints.txt")}
    assert {str(pin) for pin in requirements("pins.in")} <= constraints


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_constraints_satisfy_each_declared_requirement(requirement: Requirement):
    """Also says when `make constraints` was forgotten."""
    name = canonicalize_name(requirement.name)
    versions = [
        Version(specifier.version)
        for pin in requirements("constraints.txt")
        if canonicalize_name(pin.name) == name
        for specifier in pin.specifier
    ]
    assert versions
    assert all(requirement.specifier.contains(version) for version in versions)


def test_the_installed_package_is_this_one():
    """`pip install -e` was run after the last change of the project table."""
    installed = metadata.distribution("nbnas")
    assert installed.version == PROJECT["version"]
    assert {entry.value for entry in installed.entry_points.select(group="console_scripts")} == {"nbnas.cli:main"}
    names = {Requirement(text).name for text in installed.requires or []}
    assert names - {"nbnas"} == {requirement.name for requirement in declared()}


@pytest.mark.parametrize("name", ["spaces", "events", "state", "store", "charts", "widgets"])
def test_a_stored_run_opens_without_torch(name: str):
    """What static analysis cannot see: an import through another library, or within a function that import runs."""
    if find_spec(f"nbnas.{name}") is None:
        pytest.skip(f"nbnas.{name} does not exist yet")
    code = f"import sys, nbnas.{name}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
