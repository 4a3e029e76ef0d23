// A flat price for each call to some providers.

import { Decimal, Problems } from "./tollgate.js";

const SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  properties: {
    prices: {
      description: "What a call to a provider costs, in USD: a decimal in quotes.",
      type: "object",
      additionalProperties: { type: "string" },
    },
  },
  required: ["prices"],
  additionalProperties: false,
};

const priceList = new Map();

export const lifecycle = {
  describe() {
    return {
      name: "{{name}}",
      version: "0.1.0",
      needs: [],
      configSchema: JSON.stringify(SCHEMA),
    };
  },

  configure(json) {
    const problems = new Problems();
    const config = problems.read(json, ["prices"]);
    for (const [provider, price] of Object.entries(config.prices ?? {})) {
      const path = `/prices/${provider}`;
      const decimal = problems.at(path, () => Decimal.parse(price));
      const negative = decimal !== undefined && decimal.coefficient < 0n;
      problems.unless(!negative, path, "must not be negative");
      priceList.set(provider, decimal);
    }
    problems.unless(priceList.size > 0, "/prices", "at least one price is needed");
    problems.done();
  },
};

const ZERO = new Decimal(0n);

/** The price of the calls that a usage counts; `null` where the provider has none here. */
function quote(call) {
  const unitPrice = priceList.get(call.provider);
  if (unitPrice === undefined) {
    return null;
  }
  const stated = call.usage.find((measure) => measure.quantity === "calls");
  const calls = stated === undefined ? ZERO : Decimal.from(stated.amount);
  const charge = {
    quantity: "calls",
    amount: calls.record(),
    unitPrice: unitPrice.record(),
    cost: calls.times(unitPrice).record(),
    side: "fee",
  };
  return { entry: call.provider, charges: [charge] };
}

export const prices = {
  claims() {
    return [...priceList.keys()];
  },

  catalog(page) {
    if (page > 0) {
      return [];
    }
    return [...priceList].map(([provider, price]) => ({
      provider,
      model: "",
      rates: [{ quantity: "calls", unitPrice: price.record() }],
      description: "",
      effectiveDate: "",
    }));
  },

  price(call) {
    return quote(call);
  },

  estimate(call, _maxTokens) {
    const price = quote(call);
    return price && { filledIn: [], cost: price.charges[0].cost };
  },

  extract(_provider, _flavor, _response) {
    return null;
  },
};
