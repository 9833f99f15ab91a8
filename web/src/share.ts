import { fromBase64url, toBase64url } from "./base64url.js";
import type { Snippet, SnippetResult } from "../../clients/typescript/src/index.js";
import { problemOf } from "../../clients/typescript/src/problem.js";
import { checked, type Draft } from "./draft.js";
import { token } from "./session.js";

/** Far more than a link can hold, and little enough for a page. */
const most = 4 << 20;

/** The draft as the fragment of an address, which browsers do not send to anybody. */
export async function pack(d: Draft): Promise<string> {
  const stream = new Blob([JSON.stringify(d)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return "#code=" + toBase64url(new Uint8Array(await new Response(stream).arrayBuffer()));
}

/** Keeps the draft at the service, where its operator allows that; undefined where not. */
export async function keep(d: Draft): Promise<{ fragment: string; until: Date } | undefined> {
  const headers = { "Content-Type": "application/json", Authorization: "Bearer " + token.value };
  const response = await fetch("/v1/snippets", { method: "POST", headers, body: JSON.stringify({ content: JSON.stringify(d) }), cache: "no-store" });
  if (response.status !== 201) {
    const problem = await problemOf("POST", response);
    if (problem.code === "not_found") return undefined;
    throw problem;
  }
  const kept = (await response.json()) as SnippetResult;
  return { fragment: "#snippet=" + kept.id, until: new Date(kept.expires_at) };
}

/** The draft that was kept. */
async function fetched(id: string): Promise<Draft> {
  const response = await fetch("/v1/snippets/" + id, { headers: { Authorization: "Bearer " + token.value }, cache: "no-store" });
  if (!response.ok) throw await problemOf("GET", response);
  return checked(JSON.parse(((await response.json()) as Snippet).content));
}

/** The draft of a fragment; undefined where it holds none. */
export async function unpack(fragment: string): Promise<Draft | undefined> {
  const kept = /^#snippet=([0-9a-f]{64})$/.exec(fragment)?.[1];
  if (kept !== undefined) return fetched(kept);
  const packed = /^#code=([\w-]+)$/.exec(fragment)?.[1];
  if (packed === undefined) return undefined;
  const reader = new Blob([fromBase64url(packed) as BlobPart]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const parts: Uint8Array[] = [];
  for (let size = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > most) {
      await reader.cancel();
      throw new Error("the link holds more than 4 MiB");
    }
    parts.push(value);
  }
  return checked(JSON.parse(await new Blob(parts as BlobPart[]).text()));
}
