// How a schema is shown: names, types and bounds, and what lies deeper once somebody looks.

import { element, prose } from "./dom.js";

const BOUNDS = [
  ["const", "is"], ["default", "unless given"], ["minimum", "≥"], ["maximum", "≤"],
  ["minLength", "characters ≥"], ["maxLength", "characters ≤"], ["maxItems", "entries ≤"],
  ["maxProperties", "entries ≤"], ["pattern", "like"],
];

/** A schema, or a reference to one, which opens when it is clicked; `brief` without descriptions. */
export function schemaView(api, schema, brief = false) {
  const name = nameOf(schema);
  if (!name) return schemaOf(api, schema, brief);
  const found = api.components.schemas[name];
  // What is said where it is used is closer to the matter.
  const { $ref: _, ...closer } = schema;
  if (isPlain(found)) return schemaOf(api, { ...found, ...closer }, brief);
  const view = element("details", { class: "schema" }, element("summary", {}, name));
  view.addEventListener("toggle", () => {
    if (view.childElementCount === 1) view.append(schemaOf(api, found));
  });
  return view;
}

export function schemaOf(api, schema, brief = false) {
  const parts = element("div", { class: "schema" }, element("span", { class: "type" }, typeOf(api, schema)));
  for (const [key, words] of BOUNDS) {
    if (schema[key] !== undefined) {
      parts.append(" ", element("span", { class: "bound" }, `${words} ${JSON.stringify(schema[key])}`));
    }
  }
  if (schema.enum) parts.append(" ", schema.enum.map((value) => JSON.stringify(value)).join(" | "));
  if (!brief) parts.append(...prose(schema.description ?? ""));
  for (const alternative of schema.oneOf ?? schema.anyOf ?? []) parts.append(schemaView(api, alternative));
  for (const part of schema.allOf ?? []) parts.append(nameOf(part)
    ? schemaOf(api, api.components.schemas[nameOf(part)], true) : schemaOf(api, part));
  if (schema.properties) parts.append(properties(api, schema));
  if (schema.additionalProperties === false) {
    parts.append(element("p", { class: "bound" }, "Other fields are refused."));
  } else if (schema.additionalProperties instanceof Object) {
    parts.append(element("p", {}, "Each value:"), schemaView(api, schema.additionalProperties));
  }
  if (schema.items) parts.append(schemaView(api, schema.items));
  return parts;
}

function properties(api, schema) {
  const rows = Object.entries(schema.properties).map(([name, property]) =>
    element("tr", {},
      element("td", {}, element("code", {}, name), schema.required?.includes(name) ? element("b", {}, " *") : ""),
      element("td", {}, schemaView(api, property), ...(nameOf(property) ? prose(property.description ?? "") : []))));
  return element("table", {}, element("tbody", {}, ...rows));
}

function nameOf(schema) {
  return schema.$ref?.split("/").at(-1);
}

/** Whether there is nothing beneath. */
function isPlain(schema) {
  return !schema.properties && !schema.items && !schema.oneOf && !schema.allOf
    && !(schema.additionalProperties instanceof Object);
}

function typeOf(api, schema) {
  if (nameOf(schema)) return nameOf(schema);
  if (schema.oneOf || schema.anyOf) return "one of";
  if (schema.allOf) return "object";
  if (schema.type === undefined) return "anything";
  const type = [schema.type].flat().join(" or ");
  return schema.format ? `${type} (${schema.format})` : type;
}
