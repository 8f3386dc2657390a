"""Fixtures shared by all tests."""

import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from ignored_key import VARIABLE, ignoring
from small_quickstart import FinishedRun, run_offline

collect_ignore = ["endtoend/guard"]  # for child processes; importing it here would cut off other tests
SLOW_SECONDS = 1800
PROJECT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests have more time than pyproject.toml gives to all others."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_SECONDS))


@pytest.fixture(scope="session", autouse=True)
def ignored_key() -> Iterator[None]:
    """A key that all code ignores, to see that its test fails; none unless the environment names one."""
    key = os.environ.get(VARIABLE)
    with ignoring(key) if key else nullcontext():
        yield


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's root."""
    return PROJECT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Real corpora and benchmarks; tests that need them are skipped where they are absent."""
    folder = Path(os.environ.get("IGAKULM_DATA") or PROJECT.parent / "shared" / "data")
    if not (folder / "jmed-llm").is_dir():
        pytest.skip(f"no real data at {folder}: set IGAKULM_DATA to a folder with jmed-llm/, igakuqa/, corpus/")
    return folder


@pytest.fixture(scope="session")
def samples() -> Path:
    """The sample data written for this project."""
    return PROJECT / "samples"


@pytest.fixture(scope="session")
def small_run(project: Path, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """One small run of recipes/quickstart.yaml, offline, shared by the tests that look at its results."""
    return run_offline(project / "recipes" / "quickstart.yaml", tmp_path_factory.mktemp("offline"))
