"""A margin on what calls cost."""

import json
from decimal import Decimal

from wit_world import exports
from wit_world.exports.adjustments import Charge
from wit_world.exports.lifecycle import Description
from wit_world.imports.types import Call

from tollgate import EXACT, Problems, from_record, to_record

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "factor": {
            "description": "By what every charge is multiplied.",
            "type": ["string", "number"],
        },
    },
    "required": ["factor"],
    "additionalProperties": False,
}

factor = Decimal(1)


class Lifecycle(exports.Lifecycle):
    def describe(self) -> Description:
        return Description("{{name}}", "0.1.0", [], json.dumps(SCHEMA))

    def configure(self, config: str) -> None:
        global factor
        problems = Problems()
        factor = problems.decimal(problems.read(config, ["factor"]).get("factor"), "/factor")
        problems.done()


def multiplied(charge: Charge) -> Charge:
    """The same charge at a multiple of its price."""
    unit_price = EXACT.multiply(from_record(charge.unit_price), factor)
    cost = EXACT.multiply(from_record(charge.amount), unit_price)
    return Charge(
        charge.quantity, charge.amount, to_record(unit_price), to_record(cost), charge.side
    )


class Adjustments(exports.Adjustments):
    def adjust(self, call: Call, entry: str, charges: list[Charge]) -> list[Charge]:
        return [multiplied(charge) for charge in charges]
