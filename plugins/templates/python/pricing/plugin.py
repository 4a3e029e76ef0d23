"""A flat price for each call to some providers."""

import json
from decimal import Decimal

from wit_world import exports
from wit_world.exports.lifecycle import Description
from wit_world.exports.prices import Charge, Estimation, Extraction, Listing, Quote, Rate
from wit_world.imports.types import Call

from tollgate import EXACT, Problems, from_record, to_record

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "prices": {
            "description": "What a call to a provider costs, in USD.",
            "type": "object",
            "additionalProperties": {"type": ["string", "number"]},
        },
    },
    "required": ["prices"],
    "additionalProperties": False,
}

price_list: dict[str, Decimal] = {}


class Lifecycle(exports.Lifecycle):
    def describe(self) -> Description:
        return Description("{{name}}", "0.1.0", [], json.dumps(SCHEMA))

    def configure(self, config: str) -> None:
        problems = Problems()
        prices = problems.read(config, ["prices"]).get("prices")
        named = isinstance(prices, dict) and len(prices) > 0
        if problems.unless(named, "/prices", "at least one price is needed"):
            for provider, price in prices.items():
                price_list[provider] = problems.decimal(price, f"/prices/{provider}")
        problems.done()


def quote(call: Call) -> Quote | None:
    """The price of the calls that a usage counts; none where the provider has none here."""
    price = price_list.get(call.provider)
    if price is None:
        return None
    counted = (measure.amount for measure in call.usage if measure.quantity == "calls")
    calls = next(map(from_record, counted), Decimal(0))
    cost = EXACT.multiply(calls, price)
    charge = Charge("calls", to_record(calls), to_record(price), to_record(cost), "fee")
    return Quote(call.provider, [charge])


class Prices(exports.Prices):
    def claims(self) -> list[str]:
        return list(price_list)

    def catalog(self, page: int) -> list[Listing]:
        if page > 0:
            return []
        return [
            Listing(provider, "", [Rate("calls", to_record(price))], "", "")
            for provider, price in price_list.items()
        ]

    def price(self, call: Call) -> Quote | None:
        return quote(call)

    def estimate(self, call: Call, max_tokens: int | None) -> Estimation | None:
        price = quote(call)
        return price and Estimation([], price.charges[0].cost)

    def extract(self, provider: str, flavor: str, response: str) -> Extraction | None:
        return None
