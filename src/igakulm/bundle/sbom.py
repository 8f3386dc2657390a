"""A software bill of materials: every Python distribution that IgakuLM uses, with version and licence.

Does: follow the requirements of the installed package and of those of its extras that are installed; read the metadata
of wheels; write CycloneDX 1.6. Does not: ask an index, or look into distributions: libraries that a wheel carries
inside (llama.cpp in xllamacpp, MeCab in fugashi, OpenBLAS in numpy) are covered by that wheel's own licence statement.
"""

from __future__ import annotations

import email.parser
import importlib.metadata
import uuid
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any, cast

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from igakulm.bundle.spdx import UNKNOWN, licence_of
from igakulm.errors import InputError

OURSELVES = "igakulm"
_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # of URLs, RFC 9562


@dataclass(frozen=True, slots=True)
class Component:
    """One distribution: normalised name, version, SPDX expression or `unknown`, home page, names that it requires."""

    name: str
    version: str
    licence: str
    home: str
    requires: tuple[str, ...]

    @property
    def address(self) -> str:
        """Its package URL.

        >>> Component("a", "1+cpu", "MIT", "", ()).address
        'pkg:pypi/a@1%2Bcpu'
        """
        return f"pkg:pypi/{self.name}@{self.version.replace('+', '%2B')}"


def installed_components(root: str = OURSELVES) -> list[Component]:
    """`root` first, then everything that it requires in this environment, by name.

    An extra of `root` counts when all that it asks for directly is installed.

    Raises:
        InputError: `root` is not an installed distribution.
    """
    try:
        metadata = installed_metadata(root)
    except importlib.metadata.PackageNotFoundError as error:
        raise InputError(f"{root} is not installed as a package", hint="pip install, then again") from error
    extras = [extra for extra in metadata.get_all("Provides-Extra") or () if _has_extra(metadata, extra)]
    found: dict[str, tuple[Message, set[str]]] = {}
    waiting: list[tuple[str, frozenset[str]]] = [(root, frozenset(extras))]
    while waiting:
        name, wanted = waiting.pop()
        key = canonicalize_name(name)
        known = found.get(key)
        if known and wanted <= known[1]:
            continue
        try:
            message = installed_metadata(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # a requirement that this environment does without
        found[key] = (message, {*wanted, *(known[1] if known else ())})
        waiting += [(need.name, frozenset(need.extras)) for need in requirements(message, found[key][1])]
    rest = sorted(name for name in found if name != canonicalize_name(root))
    return [component(*found[name], within=found) for name in [canonicalize_name(root), *rest]]


def wheel_components(wheels: Iterable[Path]) -> list[Component]:
    """The distributions of a folder of wheels, by name.

    Raises:
        InputError: a file that is no wheel.
    """
    messages = {}
    for path in wheels:
        message = wheel_metadata(path)
        messages[canonicalize_name(str(message["Name"]))] = message
    return [component(messages[name], (), within=messages) for name in sorted(messages)]


def installed_metadata(name: str) -> Message:
    """The METADATA of an installed distribution.

    Raises:
        PackageNotFoundError: there is none of this name.
    """
    return cast(Message, importlib.metadata.metadata(name))  # the protocol that the library declares knows no `get`


def wheel_metadata(path: Path) -> Message:
    """The METADATA of a wheel.

    Raises:
        InputError: a file that is no wheel.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            [name] = [
                name for name in archive.namelist() if name.endswith(".dist-info/METADATA") and name.count("/") == 1
            ]
            return email.parser.Parser().parsestr(archive.read(name).decode("utf-8"))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError("this is not a Python wheel", where=str(path)) from error


def requirements(metadata: Message, extras: Iterable[str]) -> list[Requirement]:
    """What a distribution requires on this machine, with these extras."""
    found = []
    for text in metadata.get_all("Requires-Dist") or ():
        try:
            need = Requirement(text)
        except InvalidRequirement:
            continue  # of an old distribution; pip ignores it too
        if any(_applies(need, extra) for extra in ("", *extras)):
            found.append(need)
    return found


def _applies(need: Requirement, extra: str) -> bool:
    environment = {key: str(value) for key, value in default_environment().items()}
    return need.marker is None or need.marker.evaluate({**environment, "extra": extra})


def _has_extra(metadata: Message, extra: str) -> bool:
    always = {str(need) for need in requirements(metadata, ())}
    return all(_is_installed(need.name) for need in requirements(metadata, [extra]) if str(need) not in always)


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def component(metadata: Message, extras: Iterable[str], within: Iterable[str]) -> Component:
    """The record of one distribution; `within` are the names that a requirement may lead to."""
    name, known = canonicalize_name(str(metadata["Name"])), set(within)
    needs = {canonicalize_name(need.name) for need in requirements(metadata, extras)}
    requires = tuple(sorted(str(need) for need in needs if need in known and need != name))
    return Component(str(name), str(metadata["Version"]), licence_of(metadata), _home(metadata), requires)


def _home(metadata: Message) -> str:
    """The home page; projects name it in several ways."""
    pages: dict[str, str] = {}
    for text in metadata.get_all("Project-URL") or ():
        label, _, address = text.partition(",")
        pages[label.strip().lower()] = address.strip()
    pages["home-page"] = str(metadata.get("Home-page") or "")
    for label in ("homepage", "home", "home-page", "repository", "source", "source code", "github", "documentation"):
        if pages.get(label, "").startswith(("https://", "http://")):
            return pages[label]
    return ""


def cyclonedx(components: Sequence[Component]) -> dict[str, object]:
    """CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/); the first component is what the others are parts of.

    Nothing in it depends on the clock: the same environment gives the same bytes.
    """
    root, *parts = components
    by_name = {part.name: part.address for part in components}
    dependencies = [
        {"ref": part.address, "dependsOn": [by_name[name] for name in part.requires]} for part in components
    ]
    serial = uuid.uuid5(_NAMESPACE, "\n".join(part.address for part in components))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": _entry(root, "application")},
        "components": [_entry(part, "library") for part in parts],
        "dependencies": dependencies,
    }


def _entry(part: Component, kind: str) -> dict[str, object]:
    entry: dict[str, Any] = {
        "type": kind,
        "bom-ref": part.address,
        "name": part.name,
        "version": part.version,
        "licenses": [{"license": {"name": UNKNOWN}} if part.licence == UNKNOWN else {"expression": part.licence}],
        "purl": part.address,
    }
    if part.home:
        entry["externalReferences"] = [{"type": "website", "url": part.home}]
    return entry


def component_lines(components: Sequence[Component]) -> list[str]:
    """One line for each distribution, those without a known licence counted at the end."""
    lines = [f"{part.name} {part.version}  {part.licence}  {part.home}".rstrip() for part in components]
    unknown = [part.name for part in components if part.licence == UNKNOWN]
    lines.append(f"{len(components)} distributions, {len(unknown)} of unknown licence: {', '.join(unknown) or 'none'}")
    return lines
