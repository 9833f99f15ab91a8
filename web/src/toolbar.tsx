import { useState } from "preact/hooks";
import { draft, replace } from "./draft.js";
import { examplesOf } from "./examples.js";
import { Icon } from "./icons.js";
import { go, language } from "./playground.js";
import { busy, run, stop } from "./run.js";
import { languages } from "./session.js";
import { settle, speak, withExample } from "./settle.js";
import { pack } from "./share.js";

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

function Share() {
  const [done, setDone] = useState("");
  const share = async () => {
    const link = location.origin + "/" + (await pack(draft.value));
    history.replaceState(null, "", link);
    try {
      await navigator.clipboard.writeText(link);
      setDone("The link is copied. It holds the code itself; nothing was stored.");
    } catch {
      setDone("The link is in the address bar. It holds the code itself; nothing was stored.");
    }
    setTimeout(() => setDone(""), 6000);
  };
  return (
    <span class="share">
      <button type="button" onClick={() => void share()} title="A link that holds the code">
        <Icon name="share" /> <span>Share</span>
      </button>
      <span role="status" class={done ? "bubble" : "unseen"}>
        {done}
      </span>
    </span>
  );
}
