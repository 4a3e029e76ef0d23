"""What every policy in Python needs: exact numbers, and problems with a configuration.

Money and quotas are `decimal.Decimal`s, never floats.
"""

import json
from decimal import Context, Decimal, Inexact, InvalidOperation

from componentize_py_types import Err
from wit_world.exports.lifecycle import Problem
from wit_world.imports import types

# 96 bits are 28 full digits; what does not fit is an error, and never rounded.
EXACT = Context(prec=29, traps=[Inexact, InvalidOperation])
COEFFICIENT_MAX = (1 << 96) - 1


def from_record(record: types.Decimal) -> Decimal:
    """A number of the contract."""
    coefficient = record.high << 64 | record.middle << 32 | record.low
    sign = "-" if record.negative else ""
    return Decimal(f"{sign}{coefficient}e-{record.scale}")


def to_record(number: Decimal) -> types.Decimal:
    """A number for the contract; exact, or an error."""
    sign, digits, exponent = EXACT.normalize(number).as_tuple()
    coefficient = int("".join(map(str, digits)))
    if exponent > 0:
        coefficient, exponent = coefficient * 10**exponent, 0
    if coefficient > COEFFICIENT_MAX or exponent < -28:
        raise Inexact(f"{number} does not fit into 28 digits")
    return types.Decimal(
        low=coefficient & 0xFFFFFFFF,
        middle=coefficient >> 32 & 0xFFFFFFFF,
        high=coefficient >> 64,
        scale=-exponent,
        negative=bool(sign) and coefficient != 0,
    )


def fact(call: types.Call, name: str) -> str | None:
    """The value of a fact that the policy asked for in `needs`."""
    return next((fact.value for fact in call.facts if fact.name == name), None)


class Problems:
    """Collects what is wrong with a configuration, so that an operator sees all of it at once."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def read(self, text: str, known: list[str]) -> dict:
        """Reads the configuration, an object; reports each key that is not among `known`."""
        config = json.loads(text, parse_float=Decimal)
        for key in config:
            path = "/" + key.replace("~", "~0").replace("/", "~1")
            self.unless(key in known, path, f"unknown field `{key}`")
        return config

    def unless(self, right: bool, path: str, message: str) -> bool:
        """Notes a problem, unless what stands at `path` (a JSON Pointer) is right."""
        if not right:
            self.found.append(Problem(path, message))
        return right

    def decimal(self, value: object, path: str) -> Decimal:
        """Reads a decimal that is not negative: a number, or a text such as "12.50"."""
        if isinstance(value, (str, int, Decimal)) and not isinstance(value, bool):
            try:
                number = Decimal(value)
                to_record(number)
                self.unless(number >= 0, path, "must not be negative")
                return number
            except (ArithmeticError, ValueError):
                pass
        self.unless(False, path, 'is not a decimal number such as "12.50"')
        return Decimal(0)

    def done(self) -> None:
        """Refuses the configuration where there are problems."""
        if self.found:
            raise Err(self.found)
