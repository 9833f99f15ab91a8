import { signal } from "@preact/signals";
import { replace } from "./draft.js";
import { ready, said } from "./session.js";
import { unpack } from "./share.js";

/** What is told of the link that led here. */
export const notice = signal("");

/** Takes the draft out of the address, when one is there. Nothing is run by that. */
export async function opened(): Promise<void> {
  if (location.hash.startsWith("#snippet=") && !ready.value) return; // it is asked for with the token
  try {
    const shared = await unpack(location.hash);
    if (shared === undefined) return;
    replace(shared);
    notice.value = "This code came with a link. Look at it before you run it.";
    history.replaceState(null, "", location.pathname);
  } catch (error) {
    notice.value = "The link cannot be read: " + said(error);
  }
}
