"""Which provider a request will call."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from tollgate import DEFAULT_PATTERNS, APIProvider, Incoming, Pattern, by_patterns
from tollgate.report import usage_in


@pytest.mark.parametrize(
    "path, body, provider",
    [
        ("/api/gemini/generate", None, "gemini"),
        ("/api/OpenAI/chat", None, "openai"),
        ("/v1/claude", None, "anthropic"),
        ("/mistral", None, "mistral"),
        ("/search/tavily", None, "tavily"),
        ("/search/serper/news", None, "serper"),
        ("/metaphor", None, "metaphor"),
        ("/exa/find", None, "exa"),
        ("/firecrawl-scrape", None, "firecrawl"),
        ("/images/stability", None, "stability"),
        ("/api/examples", None, None),
        ("/api/users", {"model": "gear"}, None),
        ("/generate", {"model": "gpt-4o"}, "openai"),
        ("/generate", {"model": "o3-mini"}, "openai"),
        ("/generate", {"model": "claude-sonnet-4"}, "anthropic"),
        ("/generate", {"model": "codestral-latest"}, "mistral"),
        ("/generate", {"model": "gemini-2.5-pro"}, "gemini"),
        ("/generate", {"model": 7}, None),
        ("/generate", ["gemini"], None),
        ("/api/gemini", {"provider": "OpenAI", "model": "gpt-4o"}, "openai"),
        ("/api/gemini", {"provider": "somebody"}, "gemini"),
    ],
)
def test_a_provider_is_recognised_by_field_path_and_model(
    path: str, body: Any, provider: Optional[str]
) -> None:
    detected = by_patterns()(Incoming("POST", path, {}, body))
    assert (None if detected is None else detected.provider) == provider


def test_every_provider_of_the_price_list_has_a_pattern() -> None:
    assert {pattern.provider for pattern in DEFAULT_PATTERNS} == set(APIProvider)


def test_ones_own_patterns_come_first() -> None:
    detect = by_patterns([Pattern("house", path="/gemini/local"), *DEFAULT_PATTERNS])
    detected = detect(Incoming("POST", "/gemini/local", {}))
    assert detected is not None and detected.provider == "house"


def test_a_pattern_that_is_no_expression_is_named() -> None:
    with pytest.raises(ValueError, match=r"'\(' of house"):
        Pattern("house", path="(")


@pytest.mark.parametrize(
    "body, usage",
    [
        ({"usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}, (3, 4)),
        ({"usage": {"input_tokens": 3, "output_tokens": 4}}, (3, 4)),
        ({"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4}}, (3, 4)),
        ({"tokens_input": 3, "tokens_output": 4, "text": ""}, (3, 4)),
        ({"usage": {"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": 9}}, (12, 4)),
        ({"usageMetadata": {"promptTokenCount": 3, "thoughtsTokenCount": 5}}, (3, 5)),
        ({"usage": {"input_tokens": True, "output_tokens": -1}}, None),
        ({"usage": "much"}, None),
        ([1], None),
        (None, None),
    ],
)
def test_an_answer_in_a_common_shape_says_what_was_used(body: Any, usage: Any) -> None:
    found = usage_in(body)
    expected = None if usage is None else dict(zip(("input_tokens", "output_tokens"), usage))
    totals = None if found is None else {
        name: amount for name, amount in found.items() if name in ("input_tokens", "output_tokens")
    }
    assert totals == expected
