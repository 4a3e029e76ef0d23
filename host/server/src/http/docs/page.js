// Reads /openapi.json and lays it out, group by group.

import { element, prose } from "./dom.js";
import { schemaOf, schemaView } from "./schema.js";
import { tryForm } from "./try.js";

const METHODS = ["get", "put", "post", "delete", "patch", "head", "options"];

const main = document.getElementById("main");
const menu = document.getElementById("menu");

function resolve(api, value) {
  let found = value;
  while (found && found.$ref) {
    found = found.$ref.slice(2).split("/").reduce((at, key) => at?.[key.replaceAll("~1", "/")], api);
  }
  return found;
}

function json(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

function examplesOf(media) {
  if (media.example !== undefined) return [["Example", media.example]];
  return Object.entries(media.examples ?? {}).map(([name, example]) => [name, example.value]);
}

function exampleViews(media) {
  return examplesOf(media).map(([name, value]) =>
    element("details", { class: "example" }, element("summary", {}, name), element("pre", {}, json(value))));
}

function bodyViews(api, content) {
  return Object.entries(content ?? {}).map(([type, media]) =>
    element("div", { class: "body" },
      element("p", { class: "media" }, type),
      media.schema ? schemaView(api, media.schema) : "",
      ...exampleViews(media)));
}

function parameterViews(api, parameters) {
  if (parameters.length === 0) return [];
  const rows = parameters.map((parameter) =>
    element("tr", {},
      element("td", {}, element("code", {}, parameter.name), parameter.required ? element("b", {}, " *") : ""),
      element("td", {}, parameter.in),
      element("td", {}, schemaView(api, parameter.schema, true), ...prose(parameter.description ?? ""))));
  return [element("h4", {}, "Parameters"), element("table", {}, element("tbody", {}, ...rows))];
}

function responseView(api, status, given) {
  const response = resolve(api, given);
  const headers = Object.entries(response.headers ?? {}).map(([name, header]) =>
    element("li", {}, element("code", {}, name), ": ", ...prose(resolve(api, header).description ?? "")));
  return element("details", { class: `response s${status[0]}` },
    element("summary", {}, element("b", {}, status), " ", summaryOf(response.description)),
    ...prose(response.description),
    headers.length ? element("ul", { class: "headers" }, ...headers) : "",
    ...bodyViews(api, response.content));
}

/** One line of a description; of a list, the names of its entries. */
function summaryOf(description) {
  const names = [...description.matchAll(/^- `([^`]+)`/gm)].map((match) => match[1]);
  return names.length ? names.join(", ") : description.split("\n")[0];
}

function operationView(api, method, path, operation) {
  const parameters = (operation.parameters ?? []).map((given) => resolve(api, given));
  const responses = Object.entries(operation.responses ?? {}).sort(([a], [b]) => a.localeCompare(b));
  const view = element("details", { class: "operation", id: operation.operationId },
    element("summary", {},
      element("span", { class: `method ${method}` }, method.toUpperCase()),
      element("code", {}, path), " ", element("span", { class: "about" }, operation.summary ?? "")));
  // Whoever only reads the list need not wait for all the rest.
  view.addEventListener("toggle", () => {
    if (view.childElementCount > 1) return;
    view.append(
      ...prose(operation.description ?? ""),
      ...parameterViews(api, parameters),
      ...(operation.requestBody
        ? [element("h4", {}, "Body"), ...bodyViews(api, operation.requestBody.content)] : []),
      element("h4", {}, "Answers"),
      ...responses.map(([status, response]) => responseView(api, status, response)),
      tryForm(api, method, path, parameters, firstBody(operation)));
  });
  return view;
}

/** What the form to try an operation begins with. */
function firstBody(operation) {
  const [type, media] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  return type && { type, text: json(examplesOf(media)[0]?.[1] ?? {}) };
}

function show(api) {
  const groups = new Map(api.tags.map((tag) => [tag.name, { tag, operations: [] }]));
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((method) => item[method])) {
      const operation = item[method];
      groups.get(operation.tags[0]).operations.push({ path, method, operation });
    }
  }
  main.replaceChildren(
    element("h1", {}, api.info.title, " ", element("small", {}, api.info.version)),
    ...prose(api.info.description),
    element("p", {}, element("a", { href: "/openapi.json" }, "/openapi.json")));
  for (const { tag, operations } of groups.values()) {
    main.append(element("h2", {}, tag.name), ...prose(tag.description ?? ""));
    menu.append(element("h3", {}, tag.name));
    for (const { path, method, operation } of operations) {
      main.append(operationView(api, method, path, operation));
      menu.append(element("a", { href: `#${operation.operationId}` },
        element("span", { class: `method ${method}` }, method.toUpperCase()), operation.summary ?? path));
    }
  }
  main.append(element("h2", {}, "Schemas"));
  for (const [name, schema] of Object.entries(api.components.schemas)) {
    main.append(element("details", { class: "operation", id: `schema-${name}` },
      element("summary", {}, element("code", {}, name)), schemaOf(api, schema)));
  }
  openWhatIsNamed();
}

function openWhatIsNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (named instanceof HTMLDetailsElement) {
    named.open = true;
    named.scrollIntoView();
  }
}

document.getElementById("filter").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase();
  for (const link of menu.querySelectorAll("a")) {
    const text = `${link.textContent} ${link.hash}`.toLowerCase();
    link.hidden = !text.includes(wanted);
  }
});
addEventListener("hashchange", openWhatIsNamed);

try {
  show(await (await fetch("/openapi.json")).json());
  document.body.dataset.ready = "true";
} catch (error) {
  main.replaceChildren(element("p", {}, `The description cannot be read: ${error}`));
}
