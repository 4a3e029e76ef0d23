"""What is said of a call while it is under way."""

from __future__ import annotations

import threading
import time
from contextvars import ContextVar
from typing import Any, Dict, Mapping, Optional

from .ask import Ask, Money, UsedOptions
from .errors import TrackingException

_current: ContextVar[Optional[Report]] = ContextVar("tollgate_call", default=None)


class Report:
    """Collects what a call uses. Every amount that is told adds to what was told before."""

    def __init__(self) -> None:
        self._usage: Dict[str, int] = {}
        self._facts: UsedOptions = {}
        self._said = False
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def used(
        self, *, model: Optional[str] = None, cost: Optional[Money] = None, **amounts: int
    ) -> None:
        """Adds amounts by quantity: ``used(input_tokens=1000, output_tokens=500)``.

        A total contains its parts: ``input_tokens`` those that were read from a cache.
        """
        with self._lock:
            if "response" in self._facts:
                raise TrackingException("the provider's answer has said already what was used")
            self._said = True
            for name, amount in amounts.items():
                self._usage[name] = self._usage.get(name, 0) + amount
            if model is not None:
                self._facts["model"] = model
            if cost is not None:
                self._facts["cost"] = cost

    def answered(
        self, response: Any, *, api_flavor: Optional[str] = None, model: Optional[str] = None
    ) -> None:
        """Gives the provider's own answer, parsed from JSON; the service reads what was used.

        A list is the chunks of a stream.
        """
        with self._lock:
            if self._usage:
                raise TrackingException("what was used was said already, quantity by quantity")
            self._said = True
            self._facts["response"] = response
            if api_flavor is not None:
                self._facts["api_flavor"] = api_flavor
            if model is not None:
                self._facts["model"] = model

    def restart(self) -> None:
        """The call begins now: what it takes counts from here."""
        self._began = time.monotonic()

    @property
    def said(self) -> bool:
        """Whether anybody has said what was used."""
        return self._said

    def facts(self, **more: Any) -> UsedOptions:
        """What was said, with what the caller knows besides."""
        with self._lock:
            facts: UsedOptions = {**self._facts}
            if "response" not in facts:
                facts["usage"] = dict(self._usage)
        facts.setdefault("response_time_ms", round((time.monotonic() - self._began) * 1000))
        facts.update(more)  # type: ignore[typeddict-item]
        return facts

    def settlement(self, ask: Ask, failure: Optional[BaseException]) -> Optional[UsedOptions]:
        """What to settle with; ``None`` where the call failed and nothing was used.

        A call that went well and of which nobody said anything is taken by its estimate.
        """
        if failure is not None:
            return self.facts(error=described(failure)) if self.said else None
        return self.facts() if self.said else self.facts(usage=dict(ask.usage or {}))


def described(failure: BaseException) -> str:
    """The kind of failure only: its text may hold what nobody should keep."""
    return type(failure).__name__


def begin(report: Report) -> Optional[Report]:
    """Makes it the current call of this task or thread; gives back the one around it."""
    around = _current.get()
    _current.set(report)
    return around


def end(around: Optional[Report]) -> None:
    """The call around it is the current one again.

    Unlike a token's reset, this works where a framework ends a block in another context.
    """
    _current.set(around)


def current_call() -> Report:
    """The metered call that is under way here; raises `TrackingException` where there is none."""
    report = _current.get()
    if report is None:
        raise TrackingException("no metered call is under way here")
    return report


def report_usage(
    *, model: Optional[str] = None, cost: Optional[Money] = None, **amounts: int
) -> None:
    """Says what the current call has used, from anywhere inside of it."""
    current_call().used(model=model, cost=cost, **amounts)


def report_response(
    response: Any, *, api_flavor: Optional[str] = None, model: Optional[str] = None
) -> None:
    """Gives the provider's answer to the current call, from anywhere inside of it."""
    current_call().answered(response, api_flavor=api_flavor, model=model)


def usage_in(body: Any) -> Optional[Mapping[str, int]]:
    """What an answer in one of the common shapes says was used; ``None`` where it says nothing.

    Those are ``usage`` as OpenAI, Mistral and Anthropic have it, Gemini's ``usageMetadata``, and
    the seed's ``tokens_input`` and ``tokens_output``.
    """
    if not isinstance(body, dict):
        return None
    for place in (body.get("usage"), body.get("usageMetadata"), body.get("usage_metadata"), body):
        if isinstance(place, dict):
            found = tokens_in(place)
            if found:
                return found
    return None


INPUT = ("input_tokens", "prompt_tokens", "promptTokenCount", "prompt_token_count", "tokens_input")
OUTPUT = (
    "output_tokens",
    "completion_tokens",
    "candidatesTokenCount",
    "candidates_token_count",
    "tokens_output",
)
#: Beside the input with Anthropic, and not part of it.
CACHE = {
    "cache_read_input_tokens": "cache_read_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
}
#: Beside the output with Gemini, and not part of it.
THOUGHTS = ("thoughtsTokenCount", "thoughts_token_count")


def tokens_in(place: Mapping[str, Any]) -> Dict[str, int]:
    found: Dict[str, int] = {}
    for name, spellings in (("input_tokens", INPUT), ("output_tokens", OUTPUT)):
        for spelling in spellings:
            if is_count(place.get(spelling)):
                found[name] = place[spelling]
                break
    if not found:
        return found
    for spelling, name in CACHE.items():
        if is_count(place.get(spelling)):
            found[name] = place[spelling]
            found["input_tokens"] = found.get("input_tokens", 0) + place[spelling]
    for spelling in THOUGHTS:
        if is_count(place.get(spelling)):
            found["output_reasoning_tokens"] = place[spelling]
            found["output_tokens"] = found.get("output_tokens", 0) + place[spelling]
    return found


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
