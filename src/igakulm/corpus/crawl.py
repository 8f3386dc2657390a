"""A polite crawler for a list of allowed sites; the only part of IgakuLM that reaches out, and only to those sites.

Does: ask for one page at a time and host, no faster than the list and robots.txt say, breadth first within the limits
of each site; keep HTML pages that do not object as WARC files; go on after a kill without asking for a page twice.
Does not: run scripts, log in, keep cookies, read sitemaps, or leave the hosts of the list, not for a redirect either.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from igakulm.corpus.crawl_fetch import Fetched, Fetcher
from igakulm.corpus.crawl_links import canonical, host_of, may_be_page, page_links
from igakulm.corpus.crawl_robots import MAX_BYTES, Robots, robots_of
from igakulm.corpus.crawl_sites import Site, Sites
from igakulm.corpus.crawl_state import State, Waiting
from igakulm.corpus.crawl_store import Store
from igakulm.corpus.html import decode_page
from igakulm.errors import InputError
from igakulm.files import locked, write_json
from igakulm.progress import Bar, Progress

_HOPS = 5  # redirects from one address
_IN_VAIN = 10  # requests to one host without an answer, one after another: the host is left until the next run
_AGAIN = (408, 425, 429, 500, 502, 503, 504)


class Clock(Protocol):
    """Time, so that tests need not wait."""

    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class _RealClock:
    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def crawl(sites: Sites, out_dir: Path, progress: Progress, clock: Clock | None = None) -> dict[str, object]:
    """Crawl until nothing is left that may be asked for now; call it again to go on.

    Args:
        sites: what may be asked for, and how.
        out_dir: gets NAME/00000.warc.gz, … for each site, crawl.json and crawl.sqlite (what is known so far).
        progress: shows pages and the host that is asked.
        clock: for tests.

    Returns:
        For each site: pages kept, addresses refused and failed by reason, addresses that still wait; hosts that were
        left, with the reason; the `sources` to write into a recipe.

    Raises:
        InputError: another crawl works in the folder, or a package is missing.
    """
    try:
        import lxml.html  # noqa: F401
    except ImportError as error:
        raise InputError("crawling needs the package lxml", hint="pip install 'igakulm[crawl]'") from error
    with locked(out_dir, hint="wait for it, or give another --out"):
        state = State(out_dir / "crawl.sqlite")
        run: _Crawl | None = None
        try:
            run = _Crawl(sites, out_dir, state, clock or _RealClock())
            with progress.task("crawl", None, "pages") as task:
                run.work(task)
        finally:
            if run is not None:
                run.close()
            summary = _summary(sites, out_dir, state, run.left if run else {})
            state.close()
            write_json(out_dir / "crawl.json", summary)
    return summary


class _Crawl:
    """One run."""

    def __init__(self, sites: Sites, out_dir: Path, state: State, clock: Clock) -> None:
        self._sites, self._state, self._clock = sites, state, clock
        self._fetcher = Fetcher(sites.contact, sites.timeout_seconds, sites.proxy)
        about = {"software": self._fetcher.user_agent.split(" ")[0], "operator": sites.contact, "robots": "obey",
                 "http-header-user-agent": self._fetcher.user_agent, "format": "WARC File Format 1.0"}  # fmt: skip
        self._stores = {
            site.name: Store(out_dir / site.name, site.name, site.licence, about, state) for site in sites.sites
        }
        self._by_name = {site.name: site for site in sites.sites}
        self._robots: dict[str, Robots] = {}
        self._robots_tries: dict[str, int] = {}
        self._due: dict[str, float] = {}
        self._in_vain: dict[str, int] = {}
        self.left: dict[str, str] = {}
        for site in sites.sites:
            state.add(self._waiting(site.start, 0))

    def close(self) -> None:
        for store in self._stores.values():
            store.close()
        self._fetcher.close()

    def work(self, task: Bar) -> None:
        """Ask the host that is due first, until no host is left to ask."""
        while hosts := [host for host in self._state.hosts() if host not in self.left]:
            host = min(hosts, key=lambda one: self._due.get(one, 0.0))
            if (wait := self._due.get(host, 0.0) - self._clock.now()) > 0:
                self._clock.sleep(wait)
            task.note(host)
            if self._visit(self._state.next_of(host)):
                task.advance()

    def _visit(self, page: Waiting) -> bool:
        """Ask for one page, or for the robots.txt that must come before it; True if the page was kept."""
        site = self._sites.site_of(page.address)
        if site is None:
            self._state.finish(page.address, "refused", "not_allowed")
            return False
        if limit := self._limit(site):
            self._state.refuse_waiting(page.site, limit)
            return False
        origin = f"{urlsplit(page.address).scheme}://{page.host}"
        if origin not in self._robots:
            self._ask_robots(origin, page.host)
            return False
        if not self._robots[origin].allows(page.address):
            self._state.finish(page.address, "refused", "robots")
            return False
        answer = self._fetcher.fetch(page.address, int(self._sites.max_page_mebibytes * 2**20))
        self._pause(page.host, max(self._sites.delay_seconds, self._robots[origin].delay()))
        return self._take(page, site, answer)

    def _limit(self, site: Site) -> str | None:
        kept = self._state.kept(site.name)
        if kept.pages >= site.max_pages:
            return "max_pages"
        return "max_mebibytes" if kept.bytes >= site.max_mebibytes * 2**20 else None

    def _pause(self, host: str, seconds: float) -> None:
        if seconds > self._sites.max_wait_seconds:
            self.left[host] = f"it asks for pauses of {seconds:,.0f} s, more than max_wait_seconds"
        self._due[host] = self._clock.now() + seconds

    def _ask_robots(self, origin: str, host: str) -> None:
        """Read robots.txt, with redirects only inside the list; a host that does not answer is asked again later."""
        address = f"{origin}/robots.txt"
        answer = Fetched()
        for _ in range(_HOPS):
            answer = self._fetcher.fetch(address, MAX_BYTES, any_type=True)
            if not 300 <= answer.status < 400:
                break
            address = canonical(answer.header("location"), address) or ""
            if not any(site.has_host(host_of(address)) for site in self._sites.sites):
                answer = Fetched(status=403)  # rules that we may not read are taken as closed
                break
        robots = robots_of(answer)
        self._pause(host, self._sites.delay_seconds)
        if robots is not None:
            self._robots[origin] = robots
            return
        tries = self._robots_tries[origin] = self._robots_tries.get(origin, 0) + 1
        if tries >= self._sites.attempts:
            self.left[host] = f"its robots.txt cannot be read ({answer.status or answer.problem})"
        else:
            self._wait_longer(host, answer, tries)

    def _wait_longer(self, host: str, answer: Fetched, attempts: int) -> None:
        asked = answer.retry_after(self._clock.now())
        self._pause(host, max(asked or 0.0, self._sites.delay_seconds * 2**attempts))

    def _take(self, page: Waiting, site: Site, answer: Fetched) -> bool:
        """Keep a page, or note why not."""
        if answer.problem in ("connection", "too_slow") or answer.status in _AGAIN:
            self._failed(page, answer)
            return False
        self._in_vain[page.host] = 0
        if 300 <= answer.status < 400:
            self._redirected(page, answer)
        elif answer.status != 200:
            self._state.finish(page.address, "failed", f"status_{answer.status}")
        elif answer.problem is not None:
            self._state.finish(page.address, "refused", answer.problem)
        else:
            return self._read(page, site, answer)
        return False

    def _failed(self, page: Waiting, answer: Fetched) -> None:
        why = answer.problem or f"status_{answer.status}"
        self._in_vain[page.host] = self._in_vain.get(page.host, 0) + 1
        if page.attempts + 1 >= self._sites.attempts:
            self._state.finish(page.address, "failed", why)
        else:
            self._state.tried(page.address, why)
        self._wait_longer(page.host, answer, page.attempts + 1)
        if self._in_vain[page.host] >= _IN_VAIN:
            self.left[page.host] = f"{_IN_VAIN} requests in a row failed ({why})"

    def _redirected(self, page: Waiting, answer: Fetched) -> None:
        target = canonical(answer.header("location"), page.address)
        if target is None or self._sites.site_of(target) is None:
            self._state.finish(page.address, "refused", "redirect_outside")
        elif page.hops >= _HOPS:
            self._state.finish(page.address, "refused", "redirect_loop")
        else:
            found = self._waiting([target], page.depth, page.hops + 1)
            self._state.finish(page.address, "redirected", "", found=found)

    def _read(self, page: Waiting, site: Site, answer: Fetched) -> bool:
        """Keep a page that does not object, and its links."""
        try:
            text = decode_page(answer.body, answer.header("content-type")).text
        except ValueError:
            self._state.finish(page.address, "refused", "unreadable")
            return False
        links = page_links(text, page.address, {name.lower(): value for name, value in answer.headers})
        deeper = page.depth < site.max_depth
        found = list(self._waiting(links.addresses, page.depth + 1)) if deeper else []
        if not links.keep:
            self._state.finish(page.address, "refused", "noindex", found=found)
            return False
        status = f"{answer.status} {answer.reason}".strip()
        kept = self._stores[site.name].append(page.address, status, answer.headers, answer.body)
        self._state.finish(page.address, "kept", found=found, kept=(site.name, kept))
        return True

    def _waiting(self, addresses: Any, depth: int, hops: int = 0) -> Iterator[Waiting]:
        """Those addresses that may be asked for."""
        for address in map(canonical, addresses):
            site = self._sites.site_of(address) if address else None
            if address is None or site is None or not may_be_page(address):
                continue
            if urlsplit(address).query and not self._sites.follow_queries and depth > 0:
                continue
            yield Waiting(address, site.name, host_of(address), depth, hops)


def _summary(sites: Sites, out_dir: Path, state: State, left: dict[str, str]) -> dict[str, Any]:
    counts = state.counts()
    found = {}
    for site in sites.sites:
        own = counts.get(site.name, {})
        kept = state.kept(site.name)
        found[site.name] = {
            "kept": sum(own.get("kept", {}).values()),
            "bytes": kept.bytes,
            "refused": own.get("refused", {}),
            "failed": own.get("failed", {}),
            "redirected": sum(own.get("redirected", {}).values()),
            "waiting": sum(own.get("waiting", {}).values()),
        }
    sources = [
        {"name": site.name, "path": str(out_dir / site.name), "format": "warc", "licence": site.licence}
        for site in sites.sites
        if found[site.name]["kept"]
    ]
    return {"sites": found, "left_for_now": left, "sources": sources}
