"""Refuses calls on some days of the week."""

import json

from wit_world import exports
from wit_world.exports.lifecycle import Description
from wit_world.exports.tiers import Level, Plan, Refusal, Verdict
from wit_world.imports.types import Call

from tollgate import Problems, fact

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "closed_on": {
            "description": "Days of the week, from 1 for Monday to 7 for Sunday.",
            "type": "array",
            "items": {"type": "integer", "minimum": 1, "maximum": 7},
        },
    },
    "required": ["closed_on"],
    "additionalProperties": False,
}

closed_on: set[str] = set()


class Lifecycle(exports.Lifecycle):
    def describe(self) -> Description:
        return Description("{{name}}", "0.1.0", ["local-weekday"], json.dumps(SCHEMA))

    def configure(self, config: str) -> None:
        problems = Problems()
        days = problems.read(config, ["closed_on"]).get("closed_on")
        if problems.unless(isinstance(days, list), "/closed_on", "expected a list of days"):
            for i, day in enumerate(days):
                is_day = isinstance(day, int) and 1 <= day <= 7
                problems.unless(is_day, f"/closed_on/{i}", "is no day of the week, 1 to 7")
        problems.done()
        closed_on.update(str(day) for day in days)


class Tiers(exports.Tiers):
    def plans(self) -> list[Plan]:
        return []

    def evaluate(self, call: Call, levels: list[Level]) -> Verdict:
        if fact(call, "local-weekday") in closed_on:
            return Verdict(Refusal("closed", "We are closed today.", 0), [])
        return Verdict(None, [])
