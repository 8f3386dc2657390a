"""The bill of materials: complete, true to the metadata, and CycloneDX."""

import importlib.metadata
import json
import re
import zipfile
from email.message import Message
from pathlib import Path

import pytest

from igakulm.bundle.sbom import (
    Component,
    component_lines,
    cyclonedx,
    installed_components,
    requirements,
    wheel_components,
)
from igakulm.bundle.spdx import licence_of
from igakulm.errors import InputError


def metadata(**fields: str | list[str]) -> Message:
    message = Message()
    for name, values in fields.items():
        for value in [values] if isinstance(values, str) else values:
            message[name.replace("_", "-")] = value
    return message


def write_wheel(folder: Path, name: str, version: str, *more: str) -> Path:
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        text = "\n".join([f"Name: {name}", f"Version: {version}", *more, "", "text"])
        archive.writestr(f"{name}-{version}.dist-info/METADATA", text)
    return path


def test_every_dependency_of_ours_is_there_with_its_version() -> None:
    found = {part.name: part for part in installed_components()}
    assert next(iter(found)) == "igakulm" and found["igakulm"].licence == "Apache-2.0"
    for name in ("torch", "tokenizers", "pydantic-core", "typing-extensions"):  # the last two through others
        assert found[name].version == importlib.metadata.version(name)
    assert "pydantic-core" in found["pydantic"].requires
    for part in found.values():
        assert set(part.requires) <= found.keys()
    with pytest.raises(InputError, match="not installed"):
        installed_components("no-such-distribution")


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"License_Expression": "MIT OR Apache-2.0", "License": "BSD"}, "MIT OR Apache-2.0"),
        ({"License": "Apache 2.0"}, "Apache-2.0"),
        ({"License": "MIT OR Apache-2.0"}, "MIT OR Apache-2.0"),
        ({"License": "Copyright 2020\nRedistribution", "Classifier": "License :: OSI Approved :: MIT License"}, "MIT"),
        ({"Classifier": "License :: OSI Approved :: BSD License"}, "LicenseRef-BSD"),
        ({"Classifier": ["License :: OSI Approved"]}, "unknown"),
        (
            {
                "Classifier": [
                    "License :: OSI Approved :: MIT License",
                    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)",
                ]
            },
            "unknown",
        ),
        ({"License": "see LICENSE"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_licences(fields: dict[str, str | list[str]], wanted: str) -> None:
    assert licence_of(metadata(**fields)) == wanted


def test_requirements_depend_on_extras_and_this_machine() -> None:
    needs = [
        "a",
        'b; extra == "more"',
        'c; sys_platform == "no such"',
        "not a requirement ((",
        'd[x]; extra == "other"',
    ]
    message = metadata(Name="m", Requires_Dist=needs)
    assert [need.name for need in requirements(message, ())] == ["a"]
    assert [need.name for need in requirements(message, ["more"])] == ["a", "b"]


def test_wheels_are_read(tmp_path: Path) -> None:
    wheels = [
        write_wheel(tmp_path, "Big_One", "1.0", "Requires-Dist: small", "Requires-Dist: absent", "License: MIT"),
        write_wheel(tmp_path, "small", "2.0", "Project-URL: Homepage, https://example.org/small"),
    ]
    big, small = wheel_components(wheels)
    assert big == Component("big-one", "1.0", "MIT", "", ("small",))
    assert (small.licence, small.home) == ("unknown", "https://example.org/small")
    (tmp_path / "broken.whl").write_bytes(b"PK")
    with pytest.raises(InputError, match="not a Python wheel"):
        wheel_components([tmp_path / "broken.whl"])


def test_cyclonedx_structure() -> None:
    """What the schema of CycloneDX 1.6 demands of the parts that are used."""
    components = installed_components()
    value = json.loads(json.dumps(cyclonedx(components)))
    assert (value["bomFormat"], value["specVersion"], value["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", value["serialNumber"])
    entries = [value["metadata"]["component"], *value["components"]]
    references = [entry["bom-ref"] for entry in entries]
    assert len(set(references)) == len(references) == len(components)
    for entry in entries:
        assert entry["type"] in ("application", "library") and entry["name"] and entry["version"]
        assert entry["purl"].startswith(f"pkg:pypi/{entry['name']}@") and "+" not in entry["purl"]
        [licence] = entry["licenses"]
        assert set(licence) == {"expression"} or licence == {"license": {"name": "unknown"}}
        for link in entry.get("externalReferences", ()):
            assert link["type"] == "website" and link["url"].startswith("http")
    assert [entry["ref"] for entry in value["dependencies"]] == references
    assert all(set(entry["dependsOn"]) <= set(references) for entry in value["dependencies"])
    assert cyclonedx(installed_components()) == cyclonedx(components)


def test_unknown_licences_are_named() -> None:
    parts = [Component("a", "1", "MIT", "", ()), Component("b", "2", "unknown", "", ())]
    assert component_lines(parts)[-1] == "2 distributions, 1 of unknown licence: b"
