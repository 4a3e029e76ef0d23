// Refuses calls on some days of the week.

import { Problems, fact } from "./tollgate.js";

const SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  properties: {
    closed_on: {
      description: "Days of the week, from 1 for Monday to 7 for Sunday.",
      type: "array",
      items: { type: "integer", minimum: 1, maximum: 7 },
    },
  },
  required: ["closed_on"],
  additionalProperties: false,
};

let closedOn = [];

export const lifecycle = {
  describe() {
    return {
      name: "{{name}}",
      version: "0.1.0",
      needs: ["local-weekday"],
      configSchema: JSON.stringify(SCHEMA),
    };
  },

  configure(json) {
    const problems = new Problems();
    const config = problems.read(json, ["closed_on"]);
    const days = config.closed_on;
    problems.unless(Array.isArray(days), "/closed_on", "expected a list of days");
    if (Array.isArray(days)) {
      days.forEach((day, i) => {
        const isDay = Number.isInteger(day) && day >= 1 && day <= 7;
        problems.unless(isDay, `/closed_on/${i}`, "is no day of the week, 1 to 7");
      });
    }
    problems.done();
    closedOn = days.map(String);
  },
};

export const tiers = {
  plans() {
    return [];
  },

  evaluate(call, _levels) {
    if (closedOn.includes(fact(call, "local-weekday"))) {
      const message = "We are closed today.";
      return { refusal: { reason: "closed", message, level: 0 }, limits: [] };
    }
    return { refusal: null, limits: [] };
  },
};
