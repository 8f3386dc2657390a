"""What stands before every request: host, origin, key, headers. A plain ASGI layer that reads no body.

Does: refuse DNS rebinding, pages of other origins and missing keys; forbid caching, and everything in a page that does
not come from here. Does not: parse requests.
"""

from __future__ import annotations

import ipaddress
import json
import math
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from igakulm.errors import InputError
from igakulm.serving.keys import Keys
from igakulm.serving.refusals import Refusals
from igakulm.serving.visitor import Visitor, client_address, remember

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
SHORTEST_KEY = 16
PAGE_RULES = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
)
"""Content security policy: a page uses what this server sends, and nothing else."""
_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", "; ".join(PAGE_RULES).encode()),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_ONCE = frozenset({b"host", b"origin", b"authorization", b"content-length", b"content-type"})
_OPEN = ("/health", "/ready", "/", "/openapi.json")
"""Paths that tell nothing of the model's work; with `/page/…` the only ones that never need a key."""


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only.

    >>> [is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "ward-pc")]
    [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_address(host: str, api_key: str | None, *, has_keys: bool = False, public_url: str | None = None) -> None:
    """Refuse to open a model to a network without a key.

    Raises:
        InputError: another host than loopback, or a public address, without a key; a key that can be guessed.
    """
    if api_key is not None and len(api_key.encode()) < SHORTEST_KEY:
        raise InputError(
            f"the key is shorter than {SHORTEST_KEY} characters",
            where="IGAKULM_API_KEY",
            hint="make one with: openssl rand -hex 24",
        )
    if has_keys or api_key is not None:
        return
    everybody = "can be reached from other machines, and without a key everybody there could use the model"
    if not is_loopback(host):
        hint = "set IGAKULM_API_KEY or give --keys, or stay with 127.0.0.1"
        raise InputError(f"{host} {everybody}", where="--host", hint=hint)
    if public_url is not None:
        hint = "set IGAKULM_API_KEY or give --keys"
        raise InputError(f"{public_url} {everybody}", where="--public-url", hint=hint)


def error_response(status: int, message: str, code: str, param: str | None = None) -> Response:
    """An error in OpenAI's form."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    # In ASCII: a message may quote half a surrogate pair, which UTF-8 cannot hold.
    body = json.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})
    headers = {"Retry-After": "5"} if status in (429, 503) else None
    return Response(body, status, headers, media_type="application/json")


def same_origin(origin: str, host: str) -> bool:
    """Whether an Origin header names the host of the request.

    >>> same_origin("http://127.0.0.1:8765", "127.0.0.1:8765"), same_origin("http://evil.example", "127.0.0.1:8765")
    (True, False)
    >>> same_origin("null", "127.0.0.1:8765"), same_origin("http://[", "127.0.0.1:8765")
    (False, False)
    """
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def host_name(header: str) -> str:
    """The name in a Host header, without its port.

    >>> host_name("127.0.0.1:8765"), host_name("[::1]:8765"), host_name("Localhost")
    ('127.0.0.1', '::1', 'localhost')
    """
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""


class Guard:
    """The layer around the application.

    Args:
        app: what is guarded.
        keys: None, or empty = no key is asked for.
        hosts: names that a Host header may carry; None = any (with a key, rebinding gains nothing).
        origins: of pages that may ask, beside pages of the request's own host.
        proxies: addresses whose X-Forwarded-For is believed.
        refusals: hears of everything that is refused here.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: Keys | None,
        hosts: frozenset[str] | None,
        origins: frozenset[str] = frozenset(),
        proxies: frozenset[str] = frozenset(),
        refusals: Refusals | None = None,
    ) -> None:
        self.app, self.hosts, self._keys, self._refusals = app, hosts, keys, refusals
        self._origins, self._proxies = origins, proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on and add headers to the answer."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self.app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers: dict[bytes, bytes] = {}
        forwarded = []
        for name, value in scope["headers"]:
            name = name.lower()
            if name == b"x-forwarded-for":
                forwarded.append(value.decode("latin-1"))
            if name in headers and name in _ONCE:
                return error_response(400, "a header is there twice", "repeated_header")
            headers[name] = value
        visitor = Visitor(client_address(scope, ",".join(forwarded), self._proxies))
        host = headers.get(b"host", b"").decode("latin-1")
        if self.hosts is not None and host_name(host) not in self.hosts:
            return self._refused(421, "this host name is not served here", "host_not_allowed", visitor)
        origin = headers.get(b"origin", b"").decode("latin-1")
        if b"origin" in headers and origin not in self._origins and not same_origin(origin, host):
            message = "requests from pages of another origin are refused"
            return self._refused(403, message, "origin_not_allowed", visitor)
        if self._keys and not _is_open(scope):
            scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
            owner = self._keys.owner(given) if scheme == b"Bearer" else None
            if owner is None:
                message = "a valid key is needed: Authorization: Bearer KEY"
                return self._refused(401, message, "invalid_api_key", visitor)
            visitor = Visitor(visitor.address, owner)
            if scope["method"] == "POST" and (wait := owner.wait(self._keys.clock())):
                message = "this key has had its requests of this minute"
                answer = self._refused(429, message, "rate_limit_exceeded", visitor)
                answer.headers["Retry-After"] = str(math.ceil(wait))
                return answer
        remember(scope, visitor)
        return None

    def _refused(self, status: int, message: str, code: str, visitor: Visitor) -> Response:
        if self._refusals is not None:
            self._refusals.add(code, visitor)
        return error_response(status, message, code)


def _is_open(scope: Scope) -> bool:
    path = scope["path"]
    return scope["method"] in ("GET", "HEAD") and (path in _OPEN or path.startswith("/page/"))
