"""The list of sites that may be crawled: keys, defaults, reading the YAML file, and which site an address belongs to.

Does: say for every address whether it may be asked for at all. Does not: fetch anything, or know robots.txt.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import yaml
from pydantic import Field, ValidationError, model_validator

from igakulm.corpus.crawl_links import canonical, host_of
from igakulm.errors import InputError, did_you_mean
from igakulm.recipe.schema import Count, Positive, Section

Seconds = Annotated[float, Field(gt=0)]


class Site(Section):
    """One site that its owner, or its licence, lets us read."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")  # also the folder of its WARC files
    start: tuple[str, ...] = Field(min_length=1)  # addresses where the crawl begins
    licence: str = Field(min_length=1, pattern=r"^[^\r\n]+$")  # travels with every page into the corpus
    hosts: tuple[str, ...] = ()  # the only hosts that are asked, `name` or `name:port`; default: those of `start`
    below: tuple[str, ...] = ("/",)  # only paths that begin with one of these
    max_pages: Positive = 10_000
    max_depth: Count = 8  # links followed from a start address
    max_mebibytes: Positive = 1024  # of kept pages

    @model_validator(mode="after")
    def _check(self) -> Site:
        for address in self.start:
            if canonical(address) is None:
                raise ValueError(f"{address!r} is no address of a web page (http:// or https://)")
            if not self.allows(canonical(address) or ""):
                raise ValueError(f"the start {address!r} is not on the site's own hosts and paths")
        return self

    def allows(self, address: str) -> bool:
        """Whether a canonical address is on this site."""
        return self.has_host(host_of(address)) and (urlsplit(address).path or "/").startswith(self.below)

    def has_host(self, host: str) -> bool:
        """Whether a host (`name` or `name:port`) may be asked for pages of this site."""
        return host in ([one.lower() for one in self.hosts] or [host_of(canonical(one) or "") for one in self.start])


class Sites(Section):
    """The whole list, and how politely the sites are asked."""

    contact: str = Field(min_length=5, pattern=r"^[^\s]+(@|://)[^\s]+$")  # mail or page of who crawls; sent along
    delay_seconds: float = Field(default=2.0, ge=0.5)  # between two requests to one host; robots.txt can only add
    timeout_seconds: Seconds = 60.0  # for one page, from the first to the last byte
    max_page_mebibytes: Seconds = 5.0  # larger pages are left out
    attempts: Positive = 3  # for one page that does not come
    max_wait_seconds: Seconds = 600.0  # a host that asks for a longer pause is left until the next run
    follow_queries: bool = False  # addresses with ?…, which are often calendars and searches without end
    proxy: str | None = None  # http://host:port; proxies of the environment are not used
    sites: tuple[Site, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Sites:
        names = [site.name for site in self.sites]
        if repeated := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two sites are named {repeated!r}")
        return self

    def site_of(self, address: str) -> Site | None:
        """The first site that an address is on, None for an address that must not be asked for."""
        return next((site for site in self.sites if site.allows(address)), None)


def load_sites(path: Path) -> Sites:
    """Read a list of sites.

    Raises:
        InputError: missing file, bad YAML, unknown key, wrong or missing value.
    """
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError("there is no such list of sites", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise InputError("the list of sites is not UTF-8", where=str(path)) from error
    except yaml.YAMLError as error:
        raise InputError(f"the list of sites is not valid YAML: {error}", where=str(path)) from error
    if not isinstance(value, dict):
        raise InputError("a list of sites is a YAML mapping with `contact` and `sites`", where=str(path))
    try:
        return Sites.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "sites"
        hint = None
        if first["type"] == "extra_forbidden":
            known = [*Sites.model_fields, *Site.model_fields]
            near = did_you_mean(str(first["loc"][-1]), known)
            hint = (f"did you mean {near!r}? " if near else "") + f"known: {', '.join(known)}"
        message = {"missing": "the key is missing", "extra_forbidden": "there is no such key"}.get(first["type"])
        raise InputError(f"{key}: {message or first['msg']}", where=str(path), hint=hint) from error
