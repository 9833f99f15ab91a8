/*
 * What the terminal's library does with style elements and style attributes, done in the ways
 * that a policy without unsafe-inline permits: sheets that a script constructs, and properties.
 */

/** A document whose style elements are such sheets. */
export function constructed(of: Document): Document {
  return new Proxy(of, {
    get(target, name) {
      if (name === "createElement") return (tag: string, options?: ElementCreationOptions) => (tag.toLowerCase() === "style" ? sheet(target) : create(target, tag, options));
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Does something that asks the page's document itself for elements, with the same for these. */
export function withConstructed(of: Document, something: () => void): void {
  of.createElement = constructed(of).createElement; // hides the inherited one
  try {
    something();
  } finally {
    delete (of as Partial<Document>).createElement;
  }
}

/** Colours of single letters are set as attributes of spans. */
export function spansByProperties(): void {
  HTMLSpanElement.prototype.setAttribute = function (name: string, value: string) {
    if (name === "style") this.style.cssText = value;
    else Element.prototype.setAttribute.call(this, name, value);
  };
}

const create = (of: Document, tag: string, options?: ElementCreationOptions): HTMLElement => Document.prototype.createElement.call(of, tag, options);

/** Stands where a style element would: its text is the sheet's, and the sheet goes with it. */
function sheet(of: Document): HTMLElement {
  const rules = new CSSStyleSheet();
  of.adoptedStyleSheets.push(rules);
  const stand = create(of, "span");
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
