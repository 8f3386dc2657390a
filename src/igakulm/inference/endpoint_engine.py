"""The `Engine` over an OpenAI-compatible server that takes and returns token ids: vLLM on a GPU, or llama.cpp's server.

Does: stream ids, cancel by closing the connection, score options, with our own tokenizer in front of the server.
Does not: send text (endpoint.py does), start a server, repeat a failed request, or check that the server has the same
model: give it the bundle's Hugging Face folder.

Sources: the completions route of vLLM (`prompt` as ids, `return_token_ids` from 0.10.2 on, `prompt_logprobs`,
`stop_token_ids`) and of llama.cpp (`return_tokens` with `verbose`, `n_probs`, `grammar`). One body serves both: each
leaves out what it does not know. llama.cpp keeps back parts of characters while it streams; single requests tell them,
but not their log-probabilities: such steps have none.

A missing end is never an end: an answer counts only with its `finish_reason`, a stream also with its "[DONE]". Whatever
stops without them, or stops for length before the length that was asked for, has failed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from igakulm.asking.client import endpoint_url
from igakulm.asking.transport import (
    EVENTS_TYPE,
    JSON_TYPE,
    BadAnswer,
    check_head,
    json_object,
    open_client,
    read_body,
    read_events,
)
from igakulm.errors import InputError
from igakulm.inference.constraint import Constraint
from igakulm.inference.engine import (
    GREEDY,
    Continuation,
    EndpointFailed,
    Sampling,
    Step,
    check_prompt,
    check_sampling,
    lengths_of,
    nothing,
    samplings_of,
)
from igakulm.inference.json_grammar import grammar_of

if TYPE_CHECKING:
    import httpx

LANES = 8
PATIENCE = 120.0
"""Seconds until the next piece of an answer."""
_IDS = "start vLLM 0.10.2 or later, or llama.cpp's server"


def open_endpoint(
    url: str, model: str, context_length: int, api_key: str | None = None, *, lanes: int = LANES
) -> EndpointEngine:
    """An engine over a server; nothing is sent before the first request.

    Args:
        url: address up to and including `/v1`.
        model: the server's name for the model.
        context_length: tokens of prompt and answer together.
        api_key: sent as a bearer token.
        lanes: streams at once.

    Raises:
        InputError: no address of a server.
    """
    return EndpointEngine(url, model, context_length, api_key, lanes=lanes)


class EndpointEngine:
    """A model on a server; see `open_endpoint`."""

    def __init__(
        self, url: str, model: str, context_length: int, api_key: str | None = None, *, lanes: int = LANES
    ) -> None:
        self.url, self.name, self.context_length, self.lanes = endpoint_url(url), model, context_length, lanes
        self.alive = True  # as far as the last request knows
        self._answered = False
        self._key = api_key or ""
        self._http = open_client(self._key, lanes, PATIENCE)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def stream(
        self, prompt: Sequence[int], max_new_tokens: int, stop: Sequence[int], sampling: Sampling = GREEDY
    ) -> Iterator[Step]:
        """Tokens one by one; see `Engine.stream`."""
        check_prompt(prompt, 0, self.context_length)
        check_sampling(sampling)
        made, ends = list(prompt), set(stop)
        longest = len(made) + min(max_new_tokens, self.context_length - len(made))
        with closing(self._steps(made, longest, stop, sampling)) as steps:
            for step in steps:
                if step.token in ends:
                    return
                made.append(step.token)
                yield replace(step, top=step.top[: sampling.top])

    def _steps(self, made: list[int], longest: int, stop: Sequence[int], sampling: Sampling) -> Generator[Step]:
        """Steps until the server ends or `longest`; the caller appends each to `made` before it asks on."""
        start = len(made)
        if start == longest:
            return
        complete = yield from self._streamed(made, longest, stop, sampling)
        if complete:
            return
        if sampling.constraint is not None:
            steps = self._posted(made[:start], longest - start, stop, sampling)[len(made) - start :]
            yield from (step for step in steps if step is not None)
            return
        for number in range(longest - len(made)):
            one = replace(sampling, seed=sampling.seed + number + 1)
            step = next(iter(self._posted(made, 1, stop, one)), None)
            if step is None:
                return
            yield step

    def _streamed(
        self, made: list[int], longest: int, stop: Sequence[int], sampling: Sampling
    ) -> Generator[Step, None, bool]:
        """Steps of one request; False = the server kept a token back."""
        room, told, reason = longest - len(made), 0, None
        body = self._body(made, room, stop, sampling) | {"stream": True}
        with closing(self._events(body)) as events:
            for event in events:
                with self._protocol():
                    reason = event["choices"][0].get("finish_reason") or reason
                    steps = list(_choice_steps(event, told))
                    told += len(steps)
                    if told > room:
                        raise BadAnswer(f"more than the {room:,} tokens that were asked for")
                for step in steps:
                    if step is None:
                        return False
                    yield step
        with self._protocol():
            _check_end(reason, told, room)
        return True

    def _posted(self, prompt: list[int], room: int, stop: Sequence[int], sampling: Sampling) -> list[Step | None]:
        """Steps of one request that is answered at once."""
        choice = self._post(self._body(prompt, room, stop, sampling))
        with self._protocol():
            steps = list(_choice_steps(choice, 0))
            _check_end(choice["choices"][0].get("finish_reason"), len(steps), room)
        return steps

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int | Sequence[int],
        stop: Sequence[int],
        *,
        constraints: Sequence[Constraint] = (),
        done: Callable[[int], None] = nothing,
    ) -> list[list[int]]:
        """Greedy continuations, `lanes` at once; see `Engine.generate`."""
        answers = []
        longest, samplings = lengths_of(max_new_tokens, prompts), samplings_of(constraints, prompts)

        def one(prompt: Sequence[int], most: int, sampling: Sampling) -> list[int]:
            return [step.token for step in self.stream(prompt, most, stop, sampling)]

        with ThreadPoolExecutor(self.lanes) as pool:
            for made in pool.map(one, prompts, longest, samplings):
                answers.append(made)
                done(1)
        return answers

    def score(
        self,
        prompts: Sequence[Sequence[int]],
        options: Sequence[Sequence[Sequence[int]]],
        *,
        done: Callable[[int], None] = nothing,
    ) -> list[list[Continuation]]:
        """Log-probabilities of every option: one request for each with vLLM, one for each token with llama.cpp."""
        scored = []
        with ThreadPoolExecutor(self.lanes) as pool:
            for prompt, choices in zip(prompts, options, strict=True):
                scored.append(list(pool.map(lambda ids, before=list(prompt): self._score(before, list(ids)), choices)))
                done(1)
        return scored

    def _score(self, prompt: list[int], option: list[int]) -> Continuation:
        check_prompt(prompt, max(1, len(option)), self.context_length)
        if not option:
            return Continuation(0.0, 0)
        body = self._body(prompt + option, 1, (), GREEDY) | {"prompt_logprobs": 0}
        given = self._post(body)["choices"][0].get("prompt_logprobs")
        if given:
            with self._protocol():
                places = zip(given[len(prompt) :], option, strict=True)
                return Continuation(sum(float(place[str(token)]["logprob"]) for place, token in places), len(option))
        return Continuation(sum(self._next(prompt + option[:k], token) for k, token in enumerate(option)), len(option))

    def _next(self, prompt: list[int], token: int) -> float:
        """llama.cpp tells the log-probability (before the bias) of a token that it is made to take."""
        body = self._body(prompt, 1, (), replace(GREEDY, top=1)) | {"logit_bias": [[token, 1e6]]}
        with self._protocol():
            step = next(_choice_steps(self._post(body), 0), None)
        if step is None or step.token != token or step.log_probability is None:
            what = "the server does not say how likely this option is (llama.cpp's does not for parts of characters)"
            raise InputError(what, where=self.url, hint="use the engine llamacpp or vLLM")
        return step.log_probability

    def _body(self, prompt: Sequence[int], room: int, stop: Sequence[int], sampling: Sampling) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.name,
            "prompt": list(prompt),
            "max_tokens": room,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed % (2**31),
            "stop_token_ids": list(stop),
            # Servers have defaults of their own, and take some from the model's folder.
            **{"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "samplers": ["temperature", "top_p"]},
            **{"return_token_ids": True, "return_tokens": True, "verbose": True, "cache_prompt": True},
        }
        if sampling.top is not None:
            body |= {"n_probs": max(1, sampling.top), "return_tokens_as_token_ids": True}
            body["logprobs"] = min(20, max(1, sampling.top))
        if sampling.constraint is not None:
            schema = sampling.constraint.schema
            body["grammar"] = grammar_of(schema)
            form = {"name": "answer", "schema": dict(schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        return body

    def _post(self, body: Mapping[str, Any]) -> dict[str, Any]:
        with self._protocol(), self._http.stream("POST", f"{self.url}/completions", json=body) as reply:
            self._check(reply, JSON_TYPE)
            answer = json_object(read_body(reply))
            _check_end(answer["choices"][0].get("finish_reason"))
        return answer

    def _events(self, body: Mapping[str, object]) -> Generator[dict[str, Any]]:
        """The chunks of a streamed answer (server-sent events)."""
        with self._protocol(), self._http.stream("POST", f"{self.url}/completions", json=body) as reply:
            self._check(reply, EVENTS_TYPE)
            for chunk in read_events(reply, PATIENCE):
                if "error" in chunk:
                    raise self._failed(f"the server at {self.url} stopped: {str(chunk['error'])[:300]}")
                if chunk.get("choices"):
                    yield chunk

    @contextmanager
    def _protocol(self) -> Iterator[None]:
        """Name what goes wrong on the way, and answers of another form."""
        import httpx

        try:
            yield
        except httpx.HTTPError as error:
            raise self._failed(f"no answer from {self.url}: {type(error).__name__} {error}") from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._failed(f"the server at {self.url} gives another form of answer ({error})") from error

    def _failed(self, what: str) -> EndpointFailed:
        self.alive = False
        return EndpointFailed(what)

    def _check(self, reply: httpx.Response, content_type: str) -> None:
        if reply.is_success:
            check_head(reply, content_type)
            self.alive = self._answered = True
            return
        text = " ".join(read_body(reply)[:4000].decode("utf-8", "replace").split())
        text = (text.replace(self._key, "[key]") if self._key else text)[:300]
        if reply.status_code in (400, 413, 422):
            raise InputError(f"the server refuses the request: {text}", where=self.url)
        if reply.status_code in (401, 403, 404) and not self._answered:
            hint = "check the address (it usually ends in /v1), the model's name and the key"
            raise InputError(f"the server answers {reply.status_code}: {text}", where=self.url, hint=hint)
        raise self._failed(f"the server at {self.url} answers {reply.status_code}: {text}")


def _check_end(reason: object, told: int | None = None, room: int = 0) -> None:
    """Refuse an answer that stopped before its end; `told`: tokens of it, of the `room` that was asked for."""
    if reason not in ("stop", "length"):
        raise BadAnswer(f"the answer broke off: its finish_reason is {str(reason)[:40]}")
    if reason == "length" and told is not None and told < room:
        raise BadAnswer(f"the answer was cut at {told:,} of {room:,} tokens: the server's context is too short")


def _choice_steps(event: Mapping[str, Any], known: int) -> Iterator[Step | None]:
    """The tokens of one answer or chunk; None where tokens between these and the `known` ones are missing."""
    choice, detail = event["choices"][0], event.get("__verbose") or {}
    told = choice.get("token_ids") if choice.get("token_ids") is not None else detail.get("tokens")
    if told is None:
        if choice.get("finish_reason"):
            return
        raise InputError("the server does not return token ids", hint=_IDS)
    if "tokens_predicted" in detail and detail["tokens_predicted"] > known + len(told):
        yield None
        return
    values, tops = _log_probabilities(choice.get("logprobs"))
    for place, token in enumerate(told):
        value = values[place] if place < len(values) else None
        yield Step(int(token), value, tops[place] if place < len(tops) else ())


def _log_probabilities(given: Any) -> tuple[list[float], list[tuple[tuple[int, float], ...]]]:
    """Of the tokens, and of the likeliest at each place, from llama.cpp's or vLLM's form."""
    if not given:
        return [], []
    if given.get("content"):
        entries = given["content"]
        tops = [[(entry["id"], entry["logprob"]) for entry in place["top_logprobs"]] for place in entries]
        return [float(place["logprob"]) for place in entries], [_sorted(top) for top in tops]
    tops = [
        [(int(name.removeprefix("token_id:")), value) for name, value in place.items()]
        for place in given.get("top_logprobs") or ()
    ]
    return [float(value) for value in given["token_logprobs"]], [_sorted(top) for top in tops]


def _sorted(top: Sequence[tuple[int, float | None]]) -> tuple[tuple[int, float], ...]:
    told = [(int(token), float(value)) for token, value in top if value is not None and value > -math.inf]
    return tuple(sorted(told, key=lambda pair: -pair[1]))
