// Warns once when a quota reaches a share of its limit.

import { Decimal, Problems } from "./tollgate.js";

const SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  properties: {
    percent: {
      description: "From which share of the limit on, in percent.",
      type: "integer",
      minimum: 1,
    },
  },
  required: ["percent"],
  additionalProperties: false,
};

let percent = 0;

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
    const config = problems.read(json, ["percent"]);
    const right = Number.isInteger(config.percent) && config.percent >= 1;
    problems.unless(right, "/percent", "must be a whole number from 1");
    problems.done();
    percent = config.percent;
  },
};

/** Whether a quota has reached the share of its limit, exactly. */
function reached({ after, limit }) {
  const hundred = new Decimal(100n);
  const share = Decimal.from(limit).times(new Decimal(BigInt(percent)));
  return Decimal.from(after).times(hundred).compare(share) >= 0;
}

export const alerts = {
  due(readings) {
    const due = [];
    readings.forEach((reading, position) => {
      if (reached(reading) && !reading.raised.includes(percent)) {
        due.push({
          reading: position,
          threshold: percent,
          kind: "usage_warning",
          severity: "warning",
          title: `${percent} % of ${reading.quota} are used`,
          message: `${Decimal.from(reading.after)} of ${Decimal.from(reading.limit)} are used.`,
        });
      }
    });
    return due;
  },

  recommend(_readings) {
    return [];
  },
};
