import { change, draft } from "./draft.js";

export function Input() {
  return (
    <div class="input">
      <label class="grow">
        <span>Standard input</span>
        <textarea spellcheck={false} value={draft.value.stdin} onInput={(e) => change({ stdin: e.currentTarget.value })} placeholder="What the program reads" />
      </label>
      <label>
        <span>Arguments</span>
        <input spellcheck={false} autocomplete="off" value={draft.value.args} onInput={(e) => change({ args: e.currentTarget.value })} placeholder={"one 'two words'"} />
      </label>
    </div>
  );
}
