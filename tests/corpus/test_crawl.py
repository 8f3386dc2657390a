from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from igakulm.corpus.crawl import crawl
from igakulm.corpus.crawl_links import canonical, page_links
from igakulm.corpus.crawl_sites import Sites, load_sites
from igakulm.corpus.read import Row, read_source
from igakulm.errors import InputError
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import Source
from web_site import Page, WebSite, html

for package in ("httpx", "protego", "lxml", "warcio", "trafilatura"):
    pytest.importorskip(package)


class FakeClock:
    """Time passes only by waiting."""

    def __init__(self) -> None:
        self.time = 1e9
        self.waits: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds


def sites_for(*urls: str, **settings: Any) -> Sites:
    of_site = ("hosts", "below", "max_pages", "max_depth", "max_mebibytes")
    own = {key: settings.pop(key) for key in of_site if key in settings}
    listed = [{"name": f"s{n}", "start": [url], "licence": "CC BY 4.0", **own} for n, url in enumerate(urls)]
    return Sites.model_validate({"contact": "mailto:it@hospital.example.jp", "sites": listed, **settings})


def numbered(count: int) -> dict[str, Any]:
    """An entrance and pages /p0, /p1, …"""
    names = [f"/p{number}" for number in range(count)]
    return {"/": html("入口", *names), **{name: html(f"頁{name[2:]}") for name in names}}


def run(sites: Sites, out: Path, clock: FakeClock | None = None) -> dict[str, Any]:
    return crawl(sites, out, SilentProgress(), clock or FakeClock())


def kept_rows(out: Path, name: str = "s0") -> list[Row]:
    return list(read_source(Source(name=name, path=str(out / name), format="warc")))


def test_pages_come_back_out_of_the_warc_with_licence_and_address(tmp_path: Path) -> None:
    with WebSite({"/": html("入口", "/a", "b.html#top"), "/a": html("甲", "/"), "/b.html": html("乙")}) as site:
        summary = run(sites_for(site.url), tmp_path)
        assert site.paths() == ["/robots.txt", "/", "/a", "/b.html"]
        rows = kept_rows(tmp_path)
    assert [json.loads(row.meta)["title"] for row in rows] == ["入口", "甲", "乙"]
    assert {row.licence for row in rows} == {"CC BY 4.0"} and not any(row.error for row in rows)
    assert (
        json.loads(rows[1].meta)["url"] == f"{site.url}/a"
        and "甲は第1段落" in rows[1].text
        and "次の頁" not in rows[1].text
    )
    assert len({row.id for row in rows}) == 3
    assert summary["sites"]["s0"]["kept"] == 3 and summary["sources"][0]["format"] == "warc"
    assert json.loads((tmp_path / "crawl.json").read_text()) == summary


def test_it_says_who_it_is_and_sends_no_cookie(tmp_path: Path) -> None:
    first = Page(html("甲", "/a").body, headers={"Content-Type": "text/html", "Set-Cookie": "id=1"})
    with WebSite({"/": first, "/a": html("乙")}) as site:
        run(sites_for(site.url), tmp_path)
        for request in site.requests:
            assert request.headers["user-agent"].startswith("IgakuLM/")
            assert "mailto:it@hospital.example.jp" in request.headers["user-agent"]
            assert "cookie" not in request.headers


def test_robots_txt_is_obeyed_with_its_delay(tmp_path: Path) -> None:
    robots = Page(
        b"User-agent: *\nDisallow: /\n\nUser-agent: igakulm\nCrawl-delay: 7\nDisallow: /private\nAllow: /private/ok\n"
    )
    clock = FakeClock()
    pages = {"/robots.txt": robots, "/": html("入口", "/private/a", "/private/ok", "/b"), "/private/ok": html("可")}
    with WebSite({**pages, "/b": html("乙"), "/private/a": html("不可")}, clock.now) as site:
        summary = run(sites_for(site.url), tmp_path, clock)
        assert "/private/a" not in site.paths() and {"/private/ok", "/b"} <= set(site.paths())
        times = [request.time for request in site.requests]
    assert [later - earlier for earlier, later in pairwise(times)] == [2.0, 7.0, 7.0]
    assert summary["sites"]["s0"]["refused"] == {"robots": 1}


@pytest.mark.parametrize(
    ("robots", "paths"),
    [
        (Page(b"", 404), ["/robots.txt", "/", "/x"]),
        (Page(b"", 403), ["/robots.txt"]),
        (Page(b"", 500), ["/robots.txt"] * 3),
        (Page(b"", 302, {"Location": "http://elsewhere.example/robots.txt"}), ["/robots.txt"]),
        (Page(b"", 301, {"Location": "/r2"}), ["/robots.txt", "/r2", "/"]),
        (Page(b"", 301, {"Location": "/robots.txt"}), ["/robots.txt"] * 15),
        (Page(b"User-agent: *\nDisallow: /"), ["/robots.txt"]),
    ],
)
def test_robots_txt_that_is_missing_closed_or_broken(tmp_path: Path, robots: Page, paths: list[str]) -> None:
    with WebSite({"/robots.txt": robots, "/r2": Page(b"User-agent: *\nDisallow: /x"), "/": html("入口", "/x")}) as site:
        summary = run(sites_for(site.url), tmp_path)
        assert site.paths() == paths
    if "/" not in paths and robots.status not in (200, 403, 302):
        assert "robots.txt cannot be read" in summary["left_for_now"][site.host]
        assert summary["sites"]["s0"]["waiting"] == 1  # the next run asks again


def test_it_never_leaves_the_list(tmp_path: Path) -> None:
    with WebSite({"/": html("よそ")}) as other, WebSite({}) as site:
        links = (
            f"{other.url}/",
            "//example.com/",
            "ftp://example.com/a",
            "javascript:alert(1)",
            "/out",
            "/docs/a",
            "/in",
        )
        moved = {"/out": Page(b"", 302, {"Location": f"{other.url}/"}), "/in": Page(b"", 301, {"Location": "/docs/b"})}
        site.pages |= {
            "/docs/": html("入口", *links, "/docs/out", "/docs/in"),
            "/docs/a": html("甲"),
            "/docs/b": html("乙"),
        }
        site.pages |= moved | {f"/docs{path}": page for path, page in moved.items()}
        summary = run(sites_for(f"{site.url}/docs/", below=("/docs/",)), tmp_path)
        assert other.requests == []
        assert set(site.paths()) == {"/robots.txt", "/docs/", "/docs/a", "/docs/out", "/docs/in", "/docs/b"}
    assert summary["sites"]["s0"]["refused"] == {"redirect_outside": 1} and summary["sites"]["s0"]["redirected"] == 1


def test_loops_and_traps_end(tmp_path: Path) -> None:
    pages: dict[str, Any] = {f"/r{n}": Page(b"", 302, {"Location": f"/r{n + 1}"}) for n in range(20)}
    pages |= {"/": html("入口", "/", "/self", "/r0", "/d1", "/a/a/a/a/a", "/?page=2", "/pic.JPG")}
    pages |= {"/self": Page(b"", 302, {"Location": "/self"})}
    pages |= {f"/d{n}": html(f"深{n}", f"/d{n + 1}") for n in range(1, 20)}
    with WebSite(pages) as site:
        summary = run(sites_for(site.url, max_depth=3), tmp_path)
        assert Counter(site.paths()).most_common(1)[0][1] == 1
        assert (
            "/d3" in site.paths() and "/d4" not in site.paths() and "/r5" in site.paths() and "/r6" not in site.paths()
        )
        assert not {"/a/a/a/a/a", "/?page=2", "/pic.JPG"} & set(site.paths())
    assert summary["sites"]["s0"]["refused"] == {"redirect_loop": 1}


def test_large_slow_and_foreign_bodies_are_left_out(tmp_path: Path) -> None:
    typed = {"Content-Type": "text/html"}
    pages = {
        "/": html("入口", "/declared", "/streamed", "/bomb", "/pdf", "/drip", "/binary"),
        "/declared": Page(b"", headers={**typed, "Content-Length": str(10**9)}),
        "/streamed": Page(headers=typed, pieces=tuple([b"x" * 65536] * 40)),
        "/bomb": Page(__import__("gzip").compress(bytes(3 * 10**6)), headers={**typed, "Content-Encoding": "gzip"}),
        "/pdf": Page(b"%PDF", headers={"Content-Type": "application/pdf"}),
        "/drip": Page(headers=typed, pieces=(b"x",) * 40, pause=0.1),
        "/binary": Page(bytes(range(256)) * 10, headers=typed),
    }
    with WebSite(pages) as site:  # type: ignore[arg-type]
        summary = run(sites_for(site.url, max_page_mebibytes=1, timeout_seconds=1.0, attempts=1), tmp_path)
    own = summary["sites"]["s0"]
    assert own["refused"] == {"too_large": 3, "not_html": 1, "unreadable": 1} and own["failed"] == {"too_slow": 1}
    assert own["kept"] == 1


def test_errors_are_tried_again_and_a_pause_asked_for_is_kept(tmp_path: Path) -> None:
    clock = FakeClock()
    typed = html("甲")
    pages: dict[str, Any] = {
        "/": html("入口", "/busy", "/date", "/broken", "/gone", "/cut"),
        "/busy": lambda count: Page(b"", 429, {"Retry-After": "120"}) if count == 1 else typed,
        "/date": lambda count: Page(b"", 503, {"Retry-After": formatdate(clock.time + 300)}) if count == 1 else typed,
        "/broken": Page(b"", 500),
        "/gone": Page(b"", 410),
        "/cut": Page(typed.body, headers=typed.headers, cut=True),
    }
    with WebSite(pages, clock.now) as site:
        summary = run(sites_for(site.url), tmp_path, clock)
        asked = Counter(site.paths())
        after = {path: [r.time for r in site.requests if r.path == path] for path in ("/busy", "/date", "/broken")}
    assert (asked["/busy"], asked["/date"], asked["/broken"], asked["/gone"], asked["/cut"]) == (2, 2, 3, 1, 3)
    assert after["/busy"][1] - after["/busy"][0] >= 120 and after["/date"][1] - after["/date"][0] >= 299
    first, second, third = after["/broken"]
    assert second - first == 4 and third - second == 8
    own = summary["sites"]["s0"]
    assert own["failed"] == {"status_500": 1, "status_410": 1, "connection": 1} and own["kept"] == 3


def test_a_host_that_wants_a_long_pause_or_is_down_is_left_until_the_next_run(tmp_path: Path) -> None:
    busy: dict[str, Any] = {"/": lambda count: Page(b"", 503, {"Retry-After": "90000"}) if count == 1 else html("甲")}
    with WebSite(busy) as site, WebSite({"/": html("乙")}) as other:
        sites = sites_for(site.url, other.url)
        summary = run(sites, tmp_path)
        assert list(summary["left_for_now"]) == [site.host] and summary["sites"]["s1"]["kept"] == 1
        assert summary["sites"]["s0"]["waiting"] == 1
        again = run(sites, tmp_path)
        assert again["sites"]["s0"]["kept"] == 1 and other.paths() == ["/robots.txt", "/"]
    down = run(sites_for("http://127.0.0.1:9/"), tmp_path / "down")
    assert "127.0.0.1:9" in down["left_for_now"] and down["sites"]["s0"]["waiting"] == 1


def test_pages_that_object_are_not_kept(tmp_path: Path) -> None:
    header = {"Content-Type": "text/html", "X-Robots-Tag": "noindex"}
    pages = {
        "/": html("入口", "/meta", "/header", "/tdm", "/stay", nofollow="/hidden"),
        "/meta": html("甲", "/from-meta", head='<meta name="ROBOTS" content="NoIndex">'),
        "/header": Page(html("乙").body, headers=header),
        "/tdm": html("丙", head='<meta name="tdm-reservation" content="1">'),
        "/stay": html("丁", "/from-stay", head='<meta name="robots" content="nofollow">'),
        "/from-meta": html("戊"),
    }
    with WebSite(pages) as site:  # type: ignore[arg-type]
        summary = run(sites_for(site.url), tmp_path)
        assert "/hidden" not in site.paths() and "/from-stay" not in site.paths() and "/from-meta" in site.paths()
    assert summary["sites"]["s0"]["refused"] == {"noindex": 3}
    assert [json.loads(row.meta)["title"] for row in kept_rows(tmp_path)] == ["入口", "丁", "戊"]


def test_limits_of_a_site(tmp_path: Path) -> None:
    with WebSite(numbered(9)) as site:
        summary = run(sites_for(site.url, max_pages=4), tmp_path)
        assert len(site.requests) == 5
    assert summary["sites"]["s0"] == {
        **summary["sites"]["s0"], "kept": 4, "refused": {"max_pages": 6}, "waiting": 0,
    }  # fmt: skip


CHILD = """
    import os, sys
    from pathlib import Path
    from igakulm.corpus import crawl_state
    from igakulm.corpus.crawl import crawl
    from igakulm.corpus.crawl_sites import load_sites
    from igakulm.progress import SilentProgress

    class Clock:
        time = 0.0
        def now(self): return self.time
        def sleep(self, seconds): self.time += seconds

    die_before = int(sys.argv[3])
    finish = crawl_state.State.finish
    def dying(self, address, state, *arguments, **named):
        global die_before
        die_before -= state == "kept"
        if die_before == 0:
            os._exit(9)  # the page is written, and does not count yet
        finish(self, address, state, *arguments, **named)
    crawl_state.State.finish = dying
    crawl(load_sites(Path(sys.argv[1])), Path(sys.argv[2]), SilentProgress(), Clock())
"""


def child(tmp_path: Path, url: str, die_before: int) -> subprocess.Popen[bytes]:
    listed = tmp_path / "sites.yaml"
    listed.write_text(f"contact: it@hospital.example.jp\nsites: [{{name: s0, start: ['{url}'], licence: 公開}}]\n")
    script = tmp_path / "child.py"
    script.write_text(textwrap.dedent(CHILD))
    return subprocess.Popen([sys.executable, script, listed, tmp_path / "out", str(die_before)])


def test_a_killed_crawl_goes_on_without_loss_or_repeats(tmp_path: Path) -> None:
    victim: list[subprocess.Popen[bytes]] = []

    def killing(count: int) -> Page:
        if count == 1:
            os.kill(victim[0].pid, signal.SIGKILL)
        return html("四")

    pages = {**numbered(6), "/p4": killing}
    with WebSite(pages) as site:
        first = child(tmp_path, site.url, 3)
        assert first.wait(60) == 9
        assert not list((tmp_path / "out").rglob("*.warc.gz"))  # nothing that a reader would take
        victim.append(child(tmp_path, site.url, 0))
        assert victim[0].wait(60) == -signal.SIGKILL
        last = child(tmp_path, site.url, 0)
        assert last.wait(60) == 0
        asked = Counter(site.paths())
    assert asked == {"/robots.txt": 3, "/": 1, "/p0": 1, "/p1": 2, "/p2": 1, "/p3": 1, "/p4": 2, "/p5": 1}
    rows = kept_rows(tmp_path / "out")
    titles = [json.loads(row.meta)["title"] for row in rows]
    assert titles == ["入口", "頁0", "頁1", "頁2", "頁3", "四", "頁5"] and {row.licence for row in rows} == {"公開"}


def test_a_finished_crawl_asks_for_nothing_more(tmp_path: Path) -> None:
    with WebSite({"/": html("入口")}) as site:
        first = run(sites_for(site.url), tmp_path)
        asked = len(site.requests)
        assert run(sites_for(site.url), tmp_path) == first and len(site.requests) == asked


def test_the_list_of_sites_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "sites.yaml"

    def refused(text: str) -> str:
        path.write_text(text)
        with pytest.raises(InputError) as caught:
            load_sites(path)
        return str(caught.value)

    site = "sites: [{name: a, start: ['https://example.jp/'], licence: x}]\n"
    assert "contact: the key is missing" in refused(site)
    assert "did you mean 'delay_seconds'" in refused(f"contact: a@example.jp\ndelay_second: 1\n{site}")
    unlike = refused(f"contact: a@example.jp\nzzz: 1\n{site}")
    assert "zzz: there is no such key" in unlike and "None" not in unlike
    assert "sites.0.licence" in refused("contact: a@example.jp\nsites: [{name: a, start: ['https://example.jp/']}]\n")
    assert "no address" in refused("contact: a@example.jp\nsites: [{name: a, start: ['example.jp'], licence: x}]\n")
    assert "own hosts" in refused(f"contact: a@example.jp\n{site[:-3]}, hosts: [b.jp]}}]\n")
    assert "delay_seconds" in refused(f"contact: a@example.jp\ndelay_seconds: 0\n{site}")
    assert "contact" in refused(f"contact: nobody\n{site}")
    assert "not valid YAML" in refused("contact: [")
    assert "mapping" in refused("[]")
    with pytest.raises(InputError, match="no such list"):
        load_sites(tmp_path / "nowhere.yaml")


def test_addresses_have_one_spelling() -> None:
    base = "https://Example.JP/a/b?q=1"
    assert canonical("c", base) == "https://example.jp/a/c"
    assert canonical("?x=あ", base) == "https://example.jp/a/b?x=%E3%81%82"
    assert canonical("https://example.jp:443/%e3%81%82", "") == "https://example.jp/%e3%81%82"
    assert canonical("https://例え.jp/") == "https://xn--r8jz45g.jp/"
    for bad in ("data:text/html,x", "https://", "http://[::1", "http://a b/", "http://x.jp:99999/", "x" * 3000):
        assert canonical(bad, base if bad[0] == "x" else "") is None


def test_links_of_broken_pages() -> None:
    found = page_links(
        '<base href="/dir/"><a href="x">1</a><a href="x">2</a><a>3</a><area href="../y">', "http://a.jp/z", {}
    )
    assert found == (["http://a.jp/dir/x", "http://a.jp/y"], True, True)
    assert page_links("", "http://a.jp/", {"x-robots-tag": "googlebot: none"}) == ([], False, False)
