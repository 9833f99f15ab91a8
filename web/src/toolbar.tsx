import { useEffect, useRef, useState } from "preact/hooks";
import { draft, replace } from "./draft.js";
import { examplesOf } from "./examples.js";
import { Icon } from "./icons.js";
import { go, language } from "./playground.js";
import { busy, run, stop } from "./run.js";
import { languages, said } from "./session.js";
import { settle, speak, withExample } from "./settle.js";
import { keep, pack } from "./share.js";

export function Toolbar() {
  const of = language();
  const examples = of === undefined ? [] : examplesOf(of.id, of.family);
  const going = busy(run.value);
  return (
    <div class="toolbar">
      <label>
        <span class="unseen">Language</span>
        <select value={draft.value.language} onChange={(e) => speak(e.currentTarget.value)}>
          {languages.value.map((l) => (
            <option key={l.id} value={l.id}>
              {l.name}
              {l.version ? ` · ${l.version}` : ""}
            </option>
          ))}
        </select>
      </label>
      {examples.length > 0 && (
        <label>
          <span class="unseen">Examples</span>
          <select value="" onChange={(e) => {
            const example = examples[Number(e.currentTarget.value)];
            e.currentTarget.value = "";
            if (example !== undefined) {
              replace(withExample(draft.value, example));
              settle();
            }
          }}>
            <option value="">Examples…</option>
            {examples.map((example, i) => (
              <option key={example.name} value={i}>
                {example.name}
              </option>
            ))}
          </select>
        </label>
      )}
      <span class="gap" />
      <Share />
      {going ? (
        <button type="button" class="stop" onClick={() => void stop()} disabled={run.value?.phase === "stopping"} title="Ctrl-.">
          <Icon name="stop" /> Stop
        </button>
      ) : (
        <button type="button" class="primary run" onClick={go} disabled={of === undefined} title="Ctrl-Enter">
          <Icon name="play" /> Run <kbd>Ctrl ⏎</kbd>
        </button>
      )}
    </div>
  );
}

/** A link that holds the code, and a shorter one to where it is kept. */
function Share() {
  const [links, setLinks] = useState<{ long: string; short?: string; until?: string; wrong?: string }>();
  const [copied, setCopied] = useState("");
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const share = async () => {
    if (links !== undefined) return setLinks(undefined);
    setCopied("");
    setLinks({ long: location.origin + "/" + (await pack(draft.value)) });
  };
  const store = async () => {
    if (links === undefined) return;
    try {
      const kept = await keep(draft.value);
      if (kept === undefined) setLinks({ ...links, wrong: "This service keeps no snippets: its operator has not allowed it (--snippets on)." });
      else setLinks({ ...links, short: location.origin + "/" + kept.fragment, until: kept.until.toLocaleDateString() });
    } catch (error) {
      setLinks({ ...links, wrong: said(error) });
    }
  };
  const copy = async (link: string) => {
    try {
      await navigator.clipboard.writeText(link);
      setCopied("Copied.");
    } catch {
      setCopied("It cannot be copied from here: mark it and copy it by hand."); // pages without TLS have no clipboard
    }
  };
  useEffect(() => {
    if (links === undefined) return;
    const key = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      setLinks(undefined);
      button.current?.focus();
    };
    const press = (event: Event) => void (event.target instanceof Node && !box.current?.contains(event.target) && !button.current?.contains(event.target) && setLinks(undefined));
    addEventListener("keydown", key);
    addEventListener("pointerdown", press);
    return () => {
      removeEventListener("keydown", key);
      removeEventListener("pointerdown", press);
    };
  }, [links === undefined]);
  return (
    <span class="share">
      <button type="button" ref={button} onClick={() => void share()} aria-expanded={links !== undefined}>
        <Icon name="share" /> <span>Share</span>
      </button>
      {links !== undefined && (
        <div class="bubble card" role="dialog" aria-label="Share" ref={box}>
          <LinkField label="A link that holds all of it" link={links.long} copy={copy} focus />
          <p class="small">The code is behind the #, which browsers send to nobody. {links.long.length > 8000 && "It is long; some programs cut such links off."}</p>
          {links.short === undefined ? (
            <button type="button" onClick={() => void store()} disabled={links.wrong !== undefined}>
              Keep it here, for a short link
            </button>
          ) : (
            <>
              <LinkField label="A short link" link={links.short} copy={copy} focus />
              <p class="small">Kept until {links.until}, and longer when it is read; whoever has a token of this service and the link can read it.</p>
            </>
          )}
          <p role="status" class="small">
            {links.wrong ?? copied}
          </p>
        </div>
      )}
    </span>
  );
}

function LinkField({ label, link, copy, focus }: { label: string; link: string; copy: (link: string) => Promise<void>; focus?: boolean }) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (focus) field.current?.select();
  }, []);
  return (
    <div class="row link-field">
      <label>
        <span>{label}</span>
        <input readOnly value={link} ref={field} onFocus={(e) => e.currentTarget.select()} />
      </label>
      <button type="button" onClick={() => void copy(link)} aria-label={`Copy: ${label}`}>
        Copy
      </button>
    </div>
  );
}
