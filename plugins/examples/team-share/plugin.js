// A quota that a team shares, and a share for each member once it becomes scarce.
//
// The team's level subscribes to the plan `team`, each member's level to `team-member`. All of a
// team's calls count on its level anyway; what this policy adds is that nobody can use up alone
// what is left.

import { Decimal, Problems } from "./tollgate.js";

const SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  properties: {
    calls: { description: "What a team has in a month.", type: "integer", minimum: 1 },
    scarce_from: {
      description: "From which percentage of that on members are held to their share.",
      type: "integer",
      minimum: 0,
      maximum: 100,
    },
    share: {
      description: "A member's share, in percent of what the team has.",
      type: "integer",
      minimum: 1,
      maximum: 100,
    },
  },
  required: ["calls", "scarce_from", "share"],
  additionalProperties: false,
};

const TEAM = "team";
const MEMBER = "team-member";
const ZERO = new Decimal(0n).record();

let config = {};
let scarceFrom = ZERO;
let share = ZERO;

export const lifecycle = {
  describe() {
    return {
      name: "team-share",
      version: "0.1.0",
      needs: ["quotas"],
      configSchema: JSON.stringify(SCHEMA),
    };
  },

  configure(json) {
    const problems = new Problems();
    config = problems.read(json, Object.keys(SCHEMA.properties));
    for (const [key, { minimum, maximum }] of Object.entries(SCHEMA.properties)) {
      const value = config[key];
      const right = Number.isSafeInteger(value) && value >= minimum && !(value > maximum);
      const range = maximum === undefined ? `from ${minimum}` : `from ${minimum} to ${maximum}`;
      problems.unless(right, `/${key}`, `must be a whole number ${range}`);
    }
    problems.done();
    const percent = (percents) => new Decimal(BigInt(config.calls) * BigInt(percents), 2);
    scarceFrom = percent(config.scarce_from);
    share = percent(config.share).floor().record();
  },
};

/** A plan with one quota on calls. */
function plan(id, name, description, quota, limit) {
  return {
    id,
    name,
    tier: "team",
    description,
    priceMonthly: ZERO,
    priceYearly: ZERO,
    features: [],
    providers: null,
    quotas: [
      {
        name: quota,
        meter: "calls",
        providers: [],
        models: [],
        window: "month",
        limit,
        mode: "hard",
        gracePercent: 0,
      },
    ],
    default: false,
  };
}

/** Whether a team has used so much that its members are held to their share. */
function isScarce(level) {
  const quota = level.quotas.find((it) => it.name === "team_calls");
  if (level.plan !== TEAM || quota === undefined) {
    return false;
  }
  const taken = Decimal.from(quota.used).plus(Decimal.from(quota.reserved));
  return taken.compare(scarceFrom) >= 0;
}

export const tiers = {
  plans() {
    const all = new Decimal(BigInt(config.calls)).record();
    return [
      plan(TEAM, "Team", "Calls that a team shares.", "team_calls", all),
      plan(MEMBER, "Team member", "A share of a team's calls.", "member_calls", null),
    ];
  },

  evaluate(_call, levels) {
    const limits = [];
    if (levels.some(isScarce)) {
      levels.forEach((level, position) => {
        if (level.plan === MEMBER) {
          limits.push({ level: position, quota: "member_calls", limit: share });
        }
      });
    }
    return { refusal: null, limits };
  },
};
