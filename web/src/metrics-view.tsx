import { useState } from "preact/hooks";
import { problemOf } from "../../clients/typescript/src/problem.js";
import { said, token } from "./session.js";

/** What a monitor reads, for people. A plain link would lack the token. */
export function MetricsView({ path }: { path: string }) {
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState("");
  const look = async () => {
    try {
      const response = await fetch(path, { headers: { Authorization: "Bearer " + token.value }, cache: "no-store" });
      if (!response.ok) throw await problemOf("GET", response);
      setText(await response.text());
      setWrong("");
    } catch (error) {
      setWrong(said(error));
    }
  };
  return (
    <details class="card" onToggle={(e) => (e.currentTarget as HTMLDetailsElement).open && void look()}>
      <summary>
        Metrics, as Prometheus reads them at <code>{path}</code>
      </summary>
      {wrong && <p role="alert" class="bad">{wrong}</p>}
      {text && (
        <pre class="metrics" tabIndex={0} aria-label="Metrics">
          {text}
        </pre>
      )}
    </details>
  );
}
