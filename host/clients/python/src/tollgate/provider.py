"""Who serves a call."""

from __future__ import annotations

from enum import Enum


class APIProvider(str, Enum):
    """The providers that the shipped plans and prices know.

    Wherever one is asked for, any other name that a pricing policy knows will do as a plain text.
    """

    GEMINI = "gemini"
    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    MISTRAL = "mistral"
    TAVILY = "tavily"
    SERPER = "serper"
    METAPHOR = "metaphor"
    EXA = "exa"
    FIRECRAWL = "firecrawl"
    STABILITY = "stability"

    def __str__(self) -> str:
        return self.value


def provider_id(provider: str) -> str:
    """The name as the service knows it."""
    return provider.value if isinstance(provider, APIProvider) else provider
