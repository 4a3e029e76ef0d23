"""Which provider a request of your own API will call."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Optional, Sequence

from .provider import APIProvider


@dataclass(frozen=True)
class Incoming:
    """A request as the middleware sees it before your app does."""

    method: str
    path: str
    #: By their names in lower case; of several of one name, the last.
    headers: Mapping[str, str]
    #: The body, where it is JSON and not long; else ``None``.
    json: Any = None

    def field(self, name: str) -> Optional[str]:
        """A text at the top of the body."""
        value = self.json.get(name) if isinstance(self.json, dict) else None
        return value if isinstance(value, str) else None


@dataclass(frozen=True)
class Pattern:
    """Recognises a provider by the path of a request, or by the model it names.

    Both are regular expressions, found anywhere and in any case.
    """

    provider: str
    path: Optional[str] = None
    model: Optional[str] = None
    _path: Optional[re.Pattern[str]] = field(init=False, repr=False, compare=False)
    _model: Optional[re.Pattern[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_path", self._compiled(self.path))
        object.__setattr__(self, "_model", self._compiled(self.model))

    def in_path(self, path: str) -> bool:
        return self._path is not None and self._path.search(path) is not None

    def in_model(self, model: str) -> bool:
        return self._model is not None and self._model.search(model) is not None

    def _compiled(self, expression: Optional[str]) -> Optional[re.Pattern[str]]:
        if expression is None:
            return None
        try:
            return re.compile(expression, re.IGNORECASE)
        except re.error as error:
            raise ValueError(f"the pattern {expression!r} of {self.provider}: {error}") from error


def words(*names: str) -> str:
    """Finds one of the names as a word of its own: ``exa`` is not in ``example``."""
    return r"(?<![a-z0-9])(?:" + "|".join(names) + r")(?![a-z0-9])"


#: The providers of the shipped price list. Put your own before them.
DEFAULT_PATTERNS: Sequence[Pattern] = (
    Pattern(APIProvider.GEMINI, words("gemini", "google-ai", "generativelanguage"), r"^gemini"),
    Pattern(
        APIProvider.OPENAI,
        words("openai", "gpt", "chatgpt", "dall-e", "whisper"),
        r"^(gpt|chatgpt|o\d|text-embedding|dall-e|whisper|tts)",
    ),
    Pattern(APIProvider.ANTHROPIC, words("anthropic", "claude"), r"^claude"),
    Pattern(
        APIProvider.MISTRAL,
        words("mistral", "mistralai"),
        r"^(open-)?(mistral|mixtral|ministral|magistral|codestral|devstral|pixtral)",
    ),
    Pattern(APIProvider.TAVILY, words("tavily")),
    Pattern(APIProvider.SERPER, words("serper")),
    Pattern(APIProvider.METAPHOR, words("metaphor")),
    Pattern(APIProvider.EXA, words("exa")),
    Pattern(APIProvider.FIRECRAWL, words("firecrawl")),
    Pattern(
        APIProvider.STABILITY,
        words("stability", "stability-ai", "stable-diffusion"),
        r"^(stable-|sd3|stability)",
    ),
)


@dataclass(frozen=True)
class Detected:
    """What a request will call."""

    provider: str
    model: Optional[str] = None


#: Says what a request will call; ``None`` for a request that calls nobody, and is not metered.
Detect = Callable[[Incoming], Optional[Detected]]


def by_patterns(patterns: Sequence[Pattern] = DEFAULT_PATTERNS) -> Detect:
    """Looks for a ``provider`` in the JSON body, then at the path, then at the ``model`` named.

    The first pattern that fits wins.
    """
    known = {str(pattern.provider) for pattern in patterns}

    def detect(request: Incoming) -> Optional[Detected]:
        model = request.field("model")
        provider = (request.field("provider") or "").lower()
        if provider in known:
            return Detected(provider, model)
        for pattern in patterns:
            if pattern.in_path(request.path):
                return Detected(str(pattern.provider), model)
        if model is not None:
            for pattern in patterns:
                if pattern.in_model(model):
                    return Detected(str(pattern.provider), model)
        return None

    return detect
