"""The page that a browser shows: static files of the package, read once and never from anywhere else.

Does: `GET /` and `GET /page/NAME`; draw the forms of all kinds of tasks. Does not: hold texts, ask for a key (the files
hold nothing secret), or lead to another host; the headers come from the guard.
"""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from igakulm.answering.kinds.registry import forms_of_kinds
from igakulm.serving.guards import error_response

PAGE = Path(__file__).with_name("page")
INDEX = "index.html"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def page_files(folder: Path = PAGE) -> dict[str, tuple[bytes, str]]:
    """Name to content and media type of the page's files; files of other kinds are no part of it.

    A file NAME.j2 is the file NAME after its forms are drawn.
    """
    plain = {
        path.name: (path.read_bytes(), MEDIA_TYPES[path.suffix])
        for path in sorted(folder.iterdir())
        if path.suffix in MEDIA_TYPES and path.is_file()
    }
    drawn = {path.stem: _drawn(path) for path in sorted(folder.glob("*.j2"))}
    return plain | {name: (content, MEDIA_TYPES[Path(name).suffix]) for name, content in drawn.items()}


def _drawn(path: Path) -> bytes:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(path.read_text(encoding="utf-8")).render(kinds=forms_of_kinds()).encode()


def page_routes(more: Path | None = None) -> list[Route]:
    """The routes of the page. They need no key: the page itself asks for one when the server does.

    Args:
        more: a folder whose files, the index among them, stand in the place of the page's or beside them.
    """
    files = page_files() | (page_files(more) if more else {})

    async def index(_: Request) -> Response:
        content, media_type = files[INDEX]
        return Response(content, media_type=media_type)

    async def file(request: Request) -> Response:
        # Looked up among the names read at the start: no path of a client ever reaches the file system.
        found = files.get(request.path_params["name"])
        if found is None:
            return error_response(404, "there is no such path", "refused")
        return Response(found[0], media_type=found[1])

    return [Route("/", index, methods=["GET"]), Route("/page/{name}", file, methods=["GET"])]
