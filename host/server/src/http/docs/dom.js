// Elements are made of texts and other elements, never of markup: nothing that is shown can run.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== ""));
  return made;
}

/** A text with paragraphs, lists and `code`. */
export function prose(text) {
  const blocks = text.split(/\n\n+/).filter(Boolean);
  return blocks.map((block) => {
    if (!block.startsWith("- ")) return element("p", {}, ...spans(block));
    const entries = block.split(/^- /m).filter(Boolean);
    return element("ul", {}, ...entries.map((entry) => element("li", {}, ...spans(entry.trim()))));
  });
}

function spans(text) {
  return text.split("`").map((part, at) => (at % 2 ? element("code", {}, part) : part));
}
