"""Warns when somebody suddenly spends much more than they used to.

Two quotas on cost over sliding windows say how much that is: a short one, and a long one that the
short one is a part of. The policy compares what the short one has seen with what a stretch of its
length saw on average in the rest of the long one.
"""

import json
from decimal import Decimal

from wit_world import exports
from wit_world.exports.alerts import Alert, Reading, Recommendation
from wit_world.exports.lifecycle import Description

from tollgate import Problems, from_record

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "short": {
            "description": "The quota with the short window.",
            "type": "string",
        },
        "long": {
            "description": "The quota with the long window.",
            "type": "string",
        },
        "times": {
            "description": "How many times the average is a rise.",
            "type": "integer",
            "minimum": 2,
        },
        "at_least": {
            "description": "What must have been spent in the short window, in USD.",
            "type": ["string", "number"],
        },
    },
    "required": ["short", "long", "times", "at_least"],
    "additionalProperties": False,
}

config: dict = {}


class Lifecycle(exports.Lifecycle):
    def describe(self) -> Description:
        return Description("spend-rise", "0.1.0", [], json.dumps(SCHEMA))

    def configure(self, config_json: str) -> None:
        problems = Problems()
        config.update(problems.read(config_json, list(SCHEMA["properties"])))
        for key in ("short", "long"):
            named = isinstance(config.get(key), str) and config[key] != ""
            problems.unless(named, f"/{key}", "must be the name of a quota")
        times = config.get("times")
        right = isinstance(times, int) and times >= 2
        problems.unless(right, "/times", "must be a whole number from 2")
        config["at_least"] = problems.decimal(config.get("at_least"), "/at_least")
        problems.done()


def seconds(reading: Reading) -> int | None:
    """The length of a sliding window; none for one of the calendar."""
    kind, _, length = reading.window.partition(":")
    return int(length) if kind == "sliding" else None


def usual(short: Reading, long: Reading) -> Decimal | None:
    """What the short window would have seen if the spending had been even, times the seconds of
    the rest of the long one: so nothing is divided, and nothing rounded."""
    short_seconds, long_seconds = seconds(short), seconds(long)
    if short_seconds is None or long_seconds is None or short_seconds >= long_seconds:
        return None
    before = from_record(long.after) - from_record(short.after)
    return before * short_seconds


def is_rise(short: Reading, long: Reading) -> bool:
    spent = from_record(short.after)
    even = usual(short, long)
    if even is None or spent < config["at_least"]:
        return False
    rest_seconds = seconds(long) - seconds(short)
    return spent * rest_seconds >= even * config["times"]


class Alerts(exports.Alerts):
    def due(self, readings: list[Reading]) -> list[Alert]:
        # In percent, so that another factor is another threshold.
        threshold = config["times"] * 100
        found = []
        for position, short in enumerate(readings):
            if short.quota != config["short"] or threshold in short.raised:
                continue
            long = [
                it for it in readings if it.quota == config["long"] and it.subject == short.subject
            ]
            if any(is_rise(short, it) for it in long):
                found.append(self.alert(position, threshold, short))
        return found

    def alert(self, position: int, threshold: int, short: Reading) -> Alert:
        spent = from_record(short.after)
        return Alert(
            position,
            threshold,
            "spend_rise",
            "warning",
            f"{short.subject} spends much more than usual",
            f"{spent:f} USD within {seconds(short)} seconds is at least {config['times']} times "
            "the usual.",
        )

    def recommend(self, readings: list[Reading]) -> list[Recommendation]:
        return []
