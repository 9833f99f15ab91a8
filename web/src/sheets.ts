/**
 * A document whose style elements are sheets that a script constructs, and whose style
 * attributes are set by properties: a policy without unsafe-inline permits these.
 */
export function constructed(of: Document): Document {
  return new Proxy(of, {
    get(target, name) {
      if (name === "createElement") return (tag: string, options?: ElementCreationOptions) => element(target, tag, options);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function element(of: Document, tag: string, options?: ElementCreationOptions): HTMLElement {
  if (tag.toLowerCase() === "style") return sheet(of);
  const made = of.createElement(tag, options);
  const set = made.setAttribute.bind(made);
  made.setAttribute = (name, value) => (name === "style" ? void (made.style.cssText = value) : set(name, value));
  return made;
}

/** Stands where a style element would: its text is the sheet's, and the sheet goes with it. */
function sheet(of: Document): HTMLElement {
  const rules = new CSSStyleSheet();
  of.adoptedStyleSheets.push(rules);
  const stand = of.createElement("span");
  stand.hidden = true;
  let text = "";
  Object.defineProperty(stand, "textContent", { get: () => text, set: (value: string) => rules.replaceSync((text = value)) });
  const remove = stand.remove.bind(stand);
  stand.remove = () => {
    of.adoptedStyleSheets = of.adoptedStyleSheets.filter((one) => one !== rules);
    remove();
  };
  return stand;
}
