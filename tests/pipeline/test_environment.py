"""The three descriptions of the environment agree, and the lock carries hashes and no addresses."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def locked() -> dict[str, list[str]]:
    versions: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([a-zA-Z0-9._-]+)==([^ ;\\]+)", LOCK, re.M):
        versions.setdefault(canonicalize_name(name), []).append(version)
    return versions


def test_every_stated_dependency_is_locked_at_a_version_in_its_range() -> None:
    extras = PROJECT["project"].get("optional-dependencies", {}).values()
    stated = [
        *PROJECT["project"]["dependencies"],
        *PROJECT["dependency-groups"]["dev"],
        *(r for e in extras for r in e),
    ]
    versions = locked()
    for requirement in map(Requirement, stated):
        found = versions.get(canonicalize_name(requirement.name), [])
        assert found, f"{requirement.name} is not in requirements.lock; run make lock"
        assert all(version in requirement.specifier for version in found), f"{requirement} against {found}"


def test_the_lock_has_a_hash_for_every_package_and_no_host() -> None:
    pinned = re.findall(r"^[a-zA-Z0-9._-]+==.*?(?=^[a-zA-Z0-9]|\Z)", LOCK, re.M | re.S)
    assert len(pinned) > 50
    assert all("--hash=sha256:" in block for block in pinned)
    assert not re.search(r"https?://|--index|--find-links", LOCK)


def test_conda_draws_on_the_same_lock_and_a_python_that_the_project_supports() -> None:
    environment = YAML(typ="safe").load((ROOT / "environment.yml").read_text("utf-8"))
    conda = [item for item in environment["dependencies"] if isinstance(item, str)]
    (pip,) = [item["pip"] for item in environment["dependencies"] if isinstance(item, dict)]
    assert pip == ["--requirement requirements.lock"]
    (python,) = [item.removeprefix("python=") for item in conda if item.startswith("python=")]
    assert f"{python}.0" in SpecifierSet(PROJECT["project"]["requires-python"])
    assert environment["name"] == PROJECT["project"]["name"]


def test_continuous_integration_runs_the_readme_test_command() -> None:
    commands = (ROOT / "README.md").read_text("utf-8").split("```sh\n")[1].split("```")[0]
    (test,) = [line.split("#")[0].strip() for line in commands.splitlines() if "test" in line.split("#")[0]]
    assert (ROOT / ".ci/run").read_text("utf-8").splitlines()[-1] == test
