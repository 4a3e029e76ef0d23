// A margin on what calls cost.

import { Decimal, Problems } from "./tollgate.js";

const SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  properties: {
    factor: {
      description: "By what every charge is multiplied: a decimal in quotes.",
      type: "string",
    },
  },
  required: ["factor"],
  additionalProperties: false,
};

let factor;

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
    const config = problems.read(json, ["factor"]);
    factor = problems.at("/factor", () => Decimal.parse(config.factor));
    const negative = factor !== undefined && factor.coefficient < 0n;
    problems.unless(!negative, "/factor", "must not be negative");
    problems.done();
  },
};

/** The same charge at a multiple of its price. */
function multiplied(charge) {
  const unitPrice = Decimal.from(charge.unitPrice).times(factor);
  const cost = Decimal.from(charge.amount).times(unitPrice);
  return { ...charge, unitPrice: unitPrice.record(), cost: cost.record() };
}

export const adjustments = {
  adjust(_call, _entry, charges) {
    return charges.map(multiplied);
  },
};
