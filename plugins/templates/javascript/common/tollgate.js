// What every policy in JavaScript needs: exact numbers, and problems with a configuration.
//
// A JavaScript number is a float, so money and quotas are `Decimal`s here. Write numbers with a
// point as strings in the manifest: `price = "0.125"`.

const COEFFICIENT_MAX = (1n << 96n) - 1n;
const SCALE_MAX = 28;

/** An exact decimal number: `coefficient / 10^scale`, within the contract's 96 bits and 28 digits. */
export class Decimal {
  constructor(coefficient, scale = 0) {
    while (scale > 0 && coefficient % 10n === 0n) {
      coefficient /= 10n;
      scale -= 1;
    }
    const size = coefficient < 0n ? -coefficient : coefficient;
    if (size > COEFFICIENT_MAX || scale > SCALE_MAX) {
      throw new Error("the exact result does not fit into 28 digits");
    }
    this.coefficient = coefficient;
    this.scale = scale;
  }

  /** From a record of the contract. */
  static from({ low, middle, high, scale, negative }) {
    const size = (BigInt(high) << 64n) | (BigInt(middle) << 32n) | BigInt(low);
    return new Decimal(negative ? -size : size, scale);
  }

  /** From `"12.50"`, or from a whole number. */
  static parse(text) {
    const whole = typeof text === "number" && Number.isSafeInteger(text);
    if (!whole && typeof text !== "string") {
      throw new Error("expected a decimal number in quotes, such as \"12.50\"");
    }
    const match = /^(-?[0-9]+)(?:\.([0-9]+))?$/.exec(String(text));
    if (!match) {
      throw new Error(`\`${text}\` is not a decimal number such as "12.50"`);
    }
    const fraction = match[2] ?? "";
    return new Decimal(BigInt(match[1] + fraction), fraction.length);
  }

  plus(other) {
    const scale = Math.max(this.scale, other.scale);
    return new Decimal(this.#at(scale) + other.#at(scale), scale);
  }

  minus(other) {
    return this.plus(new Decimal(-other.coefficient, other.scale));
  }

  times(other) {
    return new Decimal(this.coefficient * other.coefficient, this.scale + other.scale);
  }

  /** Negative, zero or positive, as this is less than, equal to or more than the other. */
  compare(other) {
    const scale = Math.max(this.scale, other.scale);
    const [left, right] = [this.#at(scale), other.#at(scale)];
    return left < right ? -1 : left > right ? 1 : 0;
  }

  /** The largest whole number that is not more than this. */
  floor() {
    const unit = 10n ** BigInt(this.scale);
    const whole = this.coefficient / unit;
    return new Decimal(whole * unit > this.coefficient ? whole - 1n : whole);
  }

  /** As a record of the contract. */
  record() {
    const negative = this.coefficient < 0n;
    const size = negative ? -this.coefficient : this.coefficient;
    const limb = (shift) => Number((size >> shift) & 0xffffffffn);
    return { low: limb(0n), middle: limb(32n), high: limb(64n), scale: this.scale, negative };
  }

  toString() {
    const negative = this.coefficient < 0n;
    const size = negative ? -this.coefficient : this.coefficient;
    const digits = size.toString().padStart(this.scale + 1, "0");
    const point = digits.length - this.scale;
    const fraction = this.scale > 0 ? `.${digits.slice(point)}` : "";
    return `${negative ? "-" : ""}${digits.slice(0, point)}${fraction}`;
  }

  #at(scale) {
    return this.coefficient * 10n ** BigInt(scale - this.scale);
  }
}

/** Collects what is wrong with a configuration, so that an operator sees all of it at once. */
export class Problems {
  #found = [];

  /** Reads the configuration, an object; reports each key that is not among `known`. */
  read(json, known) {
    const config = JSON.parse(json);
    for (const key of Object.keys(config)) {
      const path = `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
      this.unless(known.includes(key), path, `unknown field \`${key}\``);
    }
    return config;
  }

  /** Notes a problem, unless what stands at `path` (a JSON Pointer) is right. */
  unless(right, path, message) {
    if (!right) {
      this.#found.push({ path, message });
    }
  }

  /** What `read` returns; where it throws, that is a problem at `path`. */
  at(path, read) {
    try {
      return read();
    } catch (error) {
      this.#found.push({ path, message: error.message });
      return undefined;
    }
  }

  /** Refuses the configuration where there are problems. */
  done() {
    if (this.#found.length > 0) {
      throw this.#found;
    }
  }
}

/** The value of a fact that the policy asked for in `needs`; `undefined` where nobody knows it. */
export function fact(call, name) {
  return call.facts.find((it) => it.name === name)?.value;
}
