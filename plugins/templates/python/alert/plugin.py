"""Warns once when a quota reaches a share of its limit."""

import json

from wit_world import exports
from wit_world.exports.alerts import Alert, Reading, Recommendation
from wit_world.exports.lifecycle import Description

from tollgate import Problems, from_record

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "percent": {
            "description": "From which share of the limit on, in percent.",
            "type": "integer",
            "minimum": 1,
        },
    },
    "required": ["percent"],
    "additionalProperties": False,
}

percent = 0


class Lifecycle(exports.Lifecycle):
    def describe(self) -> Description:
        return Description("{{name}}", "0.1.0", [], json.dumps(SCHEMA))

    def configure(self, config: str) -> None:
        global percent
        problems = Problems()
        percent = problems.read(config, ["percent"]).get("percent")
        right = isinstance(percent, int) and percent >= 1
        problems.unless(right, "/percent", "must be a whole number from 1")
        problems.done()


def is_due(reading: Reading) -> bool:
    """Whether a quota has reached the share of its limit, and nobody was told."""
    reached = from_record(reading.after) * 100 >= from_record(reading.limit) * percent
    return reached and percent not in reading.raised


class Alerts(exports.Alerts):
    def due(self, readings: list[Reading]) -> list[Alert]:
        return [
            Alert(
                position,
                percent,
                "usage_warning",
                "warning",
                f"{percent} % of {reading.quota} are used",
                f"{from_record(reading.after):f} of {from_record(reading.limit):f} are used.",
            )
            for position, reading in enumerate(readings)
            if is_due(reading)
        ]

    def recommend(self, readings: list[Reading]) -> list[Recommendation]:
        return []
