import { defaultKeymap, history, historyKeymap, indentLess, indentMore } from "@codemirror/commands";
import { bracketMatching, getIndentUnit, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
import { Compartment, countColumn, EditorState, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, keymap, lineNumbers } from "@codemirror/view";
import { tags as t } from "@lezer/highlight";
import { modeOf } from "./modes.js";

const colours = HighlightStyle.define([
  { tag: [t.keyword, t.modifier, t.operatorKeyword, t.controlKeyword], color: "var(--code-keyword)" },
  { tag: [t.string, t.special(t.string), t.regexp, t.character], color: "var(--code-string)" },
  { tag: [t.comment, t.meta], color: "var(--code-comment)" },
  { tag: [t.number, t.bool, t.null, t.atom, t.constant(t.name)], color: "var(--code-number)" },
  { tag: [t.function(t.variableName), t.function(t.propertyName), t.definition(t.function(t.variableName)), t.macroName], color: "var(--code-function)" },
  { tag: [t.typeName, t.className, t.namespace, t.standard(t.name)], color: "var(--code-type)" },
  { tag: t.invalid, color: "var(--bad)" },
]);

const theme = EditorView.theme({
  "&": { height: "100%", backgroundColor: "var(--panel)", color: "var(--text)", fontSize: "13.5px" },
  "&.cm-focused": { outline: "2px solid var(--focus)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5" },
  ".cm-content": { caretColor: "var(--text)", padding: "8px 0" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": { backgroundColor: "var(--panel)", color: "var(--muted)", border: "none", paddingLeft: "4px" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--line)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--selection) !important" },
  ".cm-specialChar": { color: "var(--bad)", fontWeight: "bold" },
  ".cm-selectionMatch": { backgroundColor: "var(--selection)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--selection)", outline: "1px solid var(--muted)" },
  ".cm-panels": { backgroundColor: "var(--ground)", color: "var(--text)", borderColor: "var(--border)" },
  ".cm-textfield, .cm-button": { background: "var(--panel)", color: "var(--text)", border: "1px solid var(--border)", borderRadius: "4px" },
});

/**
 * Letters that are not seen, or that turn others around: what came by a link is looked at before it
 * is run, and so it shows them. These are missing in the editor's own list.
 */
const unseen = /[\u2028\u202a-\u202e\u2060-\u206f\u180e\u3164\uffa0\u{e0000}-\u{e007f}]/gu;

/** Go is written with tabs, and so are some files that mean it. */
const unitOf = (name: string): Extension => indentUnit.of(/\.go$|^Makefile$/.test(name) ? "\t" : "    ");

/** Tab goes on to the next stop, or moves the lines that are selected. */
function indent(view: EditorView): boolean {
  const { state } = view;
  if (state.selection.ranges.some((range) => !range.empty)) return indentMore(view);
  view.dispatch(state.update(state.changeByRange((range) => {
    const unit = getIndentUnit(state);
    const line = state.doc.lineAt(range.head);
    const space = state.facet(indentUnit) === "\t" ? "\t" : " ".repeat(unit - (countColumn(line.text.slice(0, range.head - line.from), state.tabSize) % unit));
    return { changes: { from: range.head, insert: space }, range: range.map(state.changes({ from: range.head, insert: space }), 1) };
  }), { scrollIntoView: true, userEvent: "input" }));
  return true;
}

/**
 * Typing over a selection. A browser that does it by itself keeps the style of what was there
 * in an attribute, which the page's policy forbids and the console then tells of.
 */
function overSelection(event: InputEvent, view: EditorView): boolean {
  const { main } = view.state.selection;
  const text = event.data;
  if (event.inputType !== "insertText" || text === null || main.empty || view.composing) return false;
  event.preventDefault();
  const insert = () => view.state.update(view.state.replaceSelection(text), { userEvent: "input.type", scrollIntoView: true });
  if (!view.state.facet(EditorView.inputHandler).some((handle) => handle(view, main.from, main.to, text, insert))) view.dispatch(insert());
  return true;
}

export interface Editing {
  changed: (text: string) => void;
}

/**
 * An editor in a shadow tree: there its styles are sheets that a script has constructed,
 * which a policy without unsafe-inline permits.
 */
export class Editor {
  private readonly view: EditorView;
  private readonly mode = new Compartment();
  private readonly extensions: Extension;
  private shown = 0;

  constructor(host: HTMLElement, editing: Editing) {
    const root = host.shadowRoot ?? host.attachShadow({ mode: "open", delegatesFocus: true });
    const parent = document.createElement("div");
    parent.className = "editor";
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(".editor { height: 100%; } :host { display: block; }");
    root.adoptedStyleSheets = [sheet];
    root.replaceChildren(parent);
    this.extensions = [
      lineNumbers(), history(), drawSelection(), indentOnInput(), bracketMatching(), closeBrackets(), highlightActiveLine(), highlightActiveLineGutter(),
      highlightSelectionMatches(), highlightSpecialChars({ addSpecialChars: unseen }), syntaxHighlighting(colours), theme, EditorState.tabSize.of(4), this.mode.of([]),
      // Ctrl-Enter is the page's.
      keymap.of([{ key: "Mod-Enter", run: () => true }, ...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, { key: "Tab", run: indent, shift: indentLess }]),
      EditorView.domEventHandlers({ beforeinput: overSelection }),
      EditorView.updateListener.of((u) => void (u.docChanged && editing.changed(u.state.doc.toString()))),
    ];
    this.view = new EditorView({ parent, root });
  }

  /** Shows another file. */
  async show(name: string, text: string): Promise<void> {
    const label = EditorView.contentAttributes.of({ "aria-label": `Source of ${name}; Escape, then Tab leaves it`, tabindex: "0", spellcheck: "false", autocapitalize: "off", autocorrect: "off" });
    this.view.setState(EditorState.create({ doc: text, extensions: [this.extensions, label] }));
    const shown = ++this.shown;
    const mode = await modeOf(name);
    if (shown === this.shown) this.view.dispatch({ effects: this.mode.reconfigure([mode, unitOf(name)]) });
  }

  focus(): void {
    this.view.focus();
  }

  destroy(): void {
    this.view.destroy();
  }
}
