import { signal } from "@preact/signals";
import { draft, replace, type Draft } from "./draft.js";
import { ready, said } from "./session.js";
import { unpack } from "./share.js";

/** What is told of the link that led here. */
export const notice = signal("");

/** What was here before a link brought something else; undefined where that was nothing. */
export const before = signal<Draft | undefined>(undefined);

/** Back to what was here before the link. */
export function back(): void {
  if (before.value !== undefined) replace(before.value);
  before.value = undefined;
  notice.value = "";
}

/** Takes the draft out of the address, when one is there. Nothing is run by that. */
export async function opened(): Promise<void> {
  if (location.hash.startsWith("#snippet=") && !ready.value) return; // it is asked for with the token
  try {
    const shared = await unpack(location.hash);
    if (shared === undefined) return;
    before.value = draft.value.files.length > 0 ? draft.value : undefined;
    replace(shared);
    notice.value = "This code came with a link. Look at it before you run it.";
    history.replaceState(null, "", location.pathname);
  } catch (error) {
    notice.value = "The link cannot be read: " + said(error);
  }
}
