// A form that sends a request to this service and shows the answer.

import { element } from "./dom.js";

export function tryForm(api, method, path, parameters, body) {
  const inputs = parameters.map((parameter) => {
    const named = api.components.schemas[parameter.schema?.$ref?.split("/").at(-1)];
    const example = parameter.example ?? parameter.schema?.example ?? named?.examples?.[0] ?? "";
    const input = element("input", { name: parameter.name, placeholder: parameter.in });
    if (parameter.in === "path") input.value = example;
    return { parameter, input };
  });
  const text = body && element("textarea", { rows: "10", spellcheck: "false", "aria-label": "Body" });
  if (text) text.value = body.text;
  const answer = element("pre", { class: "answer", hidden: "" });
  const send = element("button", { type: "submit" }, `Send ${method.toUpperCase()}`);
  const form = element("form", {},
    ...inputs.map(({ parameter, input }) => element("label", {}, parameter.name, input)),
    ...(text ? [text] : []), send, answer);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    answer.hidden = false;
    answer.textContent = "…";
    try {
      answer.textContent = await ask(method, path, inputs, text && { type: body.type, text: text.value });
    } catch (error) {
      answer.textContent = String(error);
    }
  });
  return element("details", { class: "try" }, element("summary", {}, "Try it"), form);
}

async function ask(method, path, inputs, body) {
  const headers = body ? { "content-type": body.type } : {};
  const query = new URLSearchParams();
  let url = path;
  for (const { parameter, input } of inputs.filter(({ input }) => input.value !== "")) {
    if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    if (parameter.in === "query") query.set(parameter.name, input.value);
    if (parameter.in === "header") headers[parameter.name] = input.value;
  }
  if (query.size) url += `?${query}`;
  const response = await fetch(url, { method: method.toUpperCase(), headers, body: body?.text });
  const shown = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  return `${response.status} ${response.statusText}\n${shown}\n\n${pretty(await response.text())}`;
}

/** What is no JSON is shown as it came. Numbers keep their digits: only space is added. */
function pretty(text) {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  let depth = 0;
  return text.replace(/\{\s*\}|\[\s*\]|"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+|\s+/g, (token) => {
    const line = () => `\n${"  ".repeat(depth)}`;
    if (token === "{" || token === "[") return token + (depth++, line());
    if (token === "}" || token === "]") return (depth--, line()) + token;
    if (token === ",") return token + line();
    if (token === ":") return ": ";
    return token.trim();
  });
}
