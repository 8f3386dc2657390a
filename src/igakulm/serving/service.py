"""`igakulm serve`: a bundle behind an address, from the first check of its files to the last line of its log.

Does: check options and files, open the model, listen; take up new keys, a new certificate and a renamed audit log on
SIGHUP; end in order on SIGTERM and Ctrl-C, leaving no process and no temporary folder. Does not: know routes.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn

from igakulm.bundle.verify import files_digest, verify_at_start
from igakulm.errors import InputError
from igakulm.inference.bundle_folder import BUNDLE
from igakulm.inference.model import NOT_TUNED, Model
from igakulm.inference.open import Endpoint, open_model
from igakulm.serving.audit import AuditLog
from igakulm.serving.dispatcher import Limits
from igakulm.serving.guards import check_address
from igakulm.serving.keys import Keys
from igakulm.serving.listening import Certificate, bind, server_settings
from igakulm.serving.place import place_of
from igakulm.serving.refusals import Refusals
from igakulm.serving.server import Options, app_of

LOG = logging.getLogger("igakulm.serving")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who can reach a server, and what is kept of it.

    Attributes:
        api_key: a key that may do everything, sent as `Authorization: Bearer KEY`.
        keys: keys.yaml.
        public_url: what clients write, where a reverse proxy stands before the server.
        proxies: numeric addresses of the proxy; none = this machine.
        certificate: for TLS, in PEM, with its chain.
        certificate_key: its key.
        audit_log: file that gets a line for every request; see audit.py.
        audit_key: makes its chain one that only its owner can write.
        audit_strict: refuse requests while the log cannot be written.
        log_prompts: write bodies and answers to the log on standard error.
    """

    api_key: str | None = None
    keys: Path | None = None
    public_url: str | None = None
    proxies: tuple[str, ...] = ()
    certificate: Path | None = None
    certificate_key: Path | None = None
    audit_log: Path | None = None
    audit_key: str | None = None
    audit_strict: bool = False
    log_prompts: bool = False


class _Ended(SystemExit):
    """The process was asked to end (SIGTERM)."""


def say_at_once(line: str) -> None:
    """Print a line."""
    print(line, flush=True)  # at once, also into a pipe: somebody waits for the address


def serve(
    bundle: Path,
    host: str = "127.0.0.1",
    port: int = 8765,
    *,
    engine: str = "auto",
    gguf: str | None = None,
    endpoint: Endpoint | None = None,
    access: Access | None = None,
    queue: int = Limits.queue,
    verify: bool = True,
    say: Callable[[str], None] = say_at_once,
) -> None:
    """Serve a bundle until Ctrl-C or SIGTERM.

    Args:
        bundle: a folder written by the export stage.
        host: address to bind.
        port: 0 = any free one.
        engine: "auto", "llamacpp", "transformers" or "endpoint".
        gguf: which type of the bundle's GGUF files; None = the smallest.
        endpoint: for the engine "endpoint".
        access: who can reach it, and what is kept of it.
        queue: how many requests may wait beside those that are answered.
        verify: compare the hashes of a bundle's files before it answers; of files that did not change only once.
        say: where one line with the address goes.

    Raises:
        InputError: another host than loopback without a key, a port in use, no bundle, an audit log that is broken, a
            certificate that cannot be used.
    """
    access = access or Access()
    _check(access, host, queue)
    with ExitStack() as stack:
        hangup = stack.enter_context(_signals())
        place = place_of(host, access.public_url, access.proxies)
        certificate = _certificate(access)
        listener = stack.enter_context(bind(host, port))
        digest = _digest(bundle) if verify else ""
        opened = open_model(bundle, engine, gguf=gguf, endpoint=endpoint)
        stack.callback(opened.close)
        keys = Keys(access.api_key or None, access.keys, [task.name for task in opened.tasks])
        audit = _audit(access, opened, digest)
        logging.basicConfig(format="%(asctime)s %(name)s %(message)s", level=logging.WARNING)
        LOG.setLevel(logging.INFO)
        _warn(opened, access, verify)
        refusals = Refusals(audit)
        options = Options(keys, place, Limits(queue=queue), audit, access.log_prompts, refusals)
        settings = server_settings(app_of(opened, options), certificate.context if certificate else None, place.proxies)
        address = f"{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        listener.listen(128)  # who reads the line may connect at once
        scheme = "http" if certificate is None else "https"
        say(f"{opened.name} ({opened.kind}): {access.public_url or f'{scheme}://{address}'}/v1  (Ctrl-C ends it)")
        reason = "error"
        try:
            _Service(settings, hangup, lambda: _take_up(keys, certificate, audit, refusals)).run(sockets=[listener])
            reason = "end"
        except KeyboardInterrupt:
            reason = "SIGINT"
            LOG.info("ended by Ctrl-C")
        except _Ended:
            reason = "SIGTERM"
            LOG.info("ended by SIGTERM")
        finally:
            refusals.flush()
            if audit is not None:
                audit.close(reason=reason)


def _check(access: Access, host: str, queue: int) -> None:
    has_keys = access.keys is not None
    check_address(host, access.api_key or None, has_keys=has_keys, public_url=access.public_url)
    if queue < 0:
        raise InputError("a queue has a length of 0 or more", where="--queue")
    if access.audit_strict and access.audit_log is None:
        raise InputError("there is no audit log to be strict about", where="--audit-strict", hint="add --audit-log")


def _certificate(access: Access) -> Certificate | None:
    if access.certificate is None and access.certificate_key is None:
        return None
    if access.certificate is None or access.certificate_key is None:
        raise InputError("TLS needs a certificate and its key", where="--certificate, --key", hint="give both")
    return Certificate(access.certificate, access.certificate_key)


def _digest(bundle: Path) -> str:
    """What is served, by the hashes of its files."""
    return str(verify_at_start(bundle)["digest"]) if (bundle / BUNDLE).is_file() else files_digest(bundle)


def _audit(access: Access, opened: Model, digest: str) -> AuditLog | None:
    if access.audit_log is None:
        return None
    key = access.audit_key.encode() if access.audit_key else None
    told = digest or str(opened.description.get("digest", ""))
    return AuditLog(access.audit_log, opened.name, told, key, verified=bool(digest), strict=access.audit_strict)


def _warn(opened: Model, access: Access, verify: bool) -> None:
    if not verify:
        LOG.warning("the files of the bundle are not compared with their hashes (--no-verify)")
    if not opened.tuned_tasks:
        LOG.warning(NOT_TUNED)
    if access.log_prompts:
        LOG.warning("texts of requests and answers are written to this log (--log-prompts)")


def _take_up(keys: Keys, certificate: Certificate | None, audit: AuditLog | None, refusals: Refusals) -> None:
    """What SIGHUP is for. What cannot be taken up stays as it was, and the log says so."""
    refusals.flush()
    works = [keys.read]
    if certificate is not None:
        works.append(certificate.read)
    for work in works:
        try:
            work()
        except InputError as error:
            LOG.error("not taken up: %s", error)
    if audit is None:
        return
    try:
        if audit.reopen():
            LOG.info("the audit log goes on in a new file")
    except OSError as error:
        LOG.error("the audit log stays in its old file: %s", error.strerror or error)


class _Service(uvicorn.Server):
    """uvicorn's server, which looks ten times a second whether SIGHUP came.

    Python's handler could interrupt a line that is being written; here nothing is under way.
    """

    def __init__(self, settings: uvicorn.Config, hangup: threading.Event, take_up: Callable[[], None]) -> None:
        super().__init__(settings)
        self._hangup, self._take_up = hangup, take_up

    async def on_tick(self, counter: int) -> bool:
        if self._hangup.is_set():
            self._hangup.clear()
            self._take_up()
        return await super().on_tick(counter)


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """SIGTERM unwinds the stack as Ctrl-C does; the event is set by SIGHUP. Only the main thread hears signals."""
    hangup = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield hangup
        return

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # one is enough, and what it began is not interrupted
        raise _Ended(0)

    handlers = {signal.SIGTERM: end, signal.SIGHUP: lambda number, frame: hangup.set()}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        with contextlib.suppress(_Ended):
            yield hangup
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
