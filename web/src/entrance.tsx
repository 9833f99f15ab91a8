import { useState } from "preact/hooks";
import { opened } from "./opening.js";
import { enter, said, trouble } from "./session.js";
import { settle } from "./settle.js";

/** Asks for the token, once for this tab. */
export function Entrance() {
  const [value, setValue] = useState("");
  const [asking, setAsking] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    setAsking(true);
    try {
      trouble.value = "";
      await enter(value.trim());
      await opened(); // a link to what is kept had to wait for the token
      settle();
    } catch (error) {
      trouble.value = said(error);
    } finally {
      setAsking(false);
    }
  };
  return (
    <main class="entrance">
      <form onSubmit={submit} class="card">
        <h1>Run code that nobody trusts</h1>
        <p>Each program runs in a cell of its own, which is made for it and gone with it. This page shows what happened in there.</p>
        <label for="token">Token of the service, or a key</label>
        <div class="row">
          <input id="token" type="password" autocomplete="off" spellcheck={false} required value={value} onInput={(e) => setValue(e.currentTarget.value)} autofocus />
          <button type="submit" class="primary" disabled={asking}>
            Enter
          </button>
        </div>
        <p role="alert" class="bad">
          {trouble.value}
        </p>
        <p class="small">
          <code>cordon token</code> prints it; <code>cordon token --link</code> prints a link that needs none. It is kept for this tab alone, and gone when you close it.
        </p>
      </form>
    </main>
  );
}
