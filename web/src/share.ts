import { fromBase64url, toBase64url } from "./base64url.js";
import { checked, type Draft } from "./draft.js";

/** Far more than a link can hold, and little enough for a page. */
const most = 4 << 20;

/** The draft as the fragment of an address, which browsers do not send to anybody. */
export async function pack(d: Draft): Promise<string> {
  const stream = new Blob([JSON.stringify(d)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return "#code=" + toBase64url(new Uint8Array(await new Response(stream).arrayBuffer()));
}

/** The draft of a fragment; undefined where it holds none. */
export async function unpack(fragment: string): Promise<Draft | undefined> {
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
