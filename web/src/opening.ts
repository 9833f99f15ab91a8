import { effect, signal } from "@preact/signals";
import { checked, draft, replace, type Draft } from "./draft.js";
import { ready, said } from "./session.js";
import { unpack } from "./share.js";

const key = "cordon.before";
const look = "This code came with a link. Look at it before you run it.";

/** What was here before a link brought something else, and the files that it brought. */
interface Before {
  draft: Draft;
  brought: string;
}

/**
 * Any page can lead here by a link, and what was written here is then not what is remembered
 * any more: so it is kept beside that, until somebody has decided.
 */
const kept = signal<Before | undefined>(remembered());

/** What is told of the link that led here. */
export const notice = signal(kept.value === undefined ? "" : look);

/** Whether there is something to go back to. */
export const before = () => kept.value !== undefined;

const filesOf = (d: Draft): string => JSON.stringify(d.files);

function remembered(): Before | undefined {
  try {
    const was = JSON.parse(localStorage.getItem(key) ?? "null") as { draft?: unknown; brought?: unknown } | null;
    const of = checked(was?.draft);
    return of.files.length > 0 ? { draft: of, brought: String(was?.brought) } : undefined;
  } catch {
    return undefined; // storage may be forbidden, or hold what is none
  }
}

effect(() => {
  try {
    if (kept.value === undefined) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(kept.value));
  } catch {
    // without storage it is gone with the tab
  }
});

/** Back to what was here before the link. */
export function back(): void {
  if (kept.value !== undefined) replace(kept.value.draft);
  dismiss();
}

/** What is here stays. */
export function dismiss(): void {
  kept.value = undefined;
  notice.value = "";
}

/** Takes the draft out of the address, when one is there. Nothing is run by that. */
export async function opened(): Promise<void> {
  if (location.hash.startsWith("#snippet=") && !ready.value) return; // it is asked for with the token
  try {
    const shared = await unpack(location.hash);
    if (shared === undefined) return;
    const was = draft.value;
    const untouched = kept.value?.brought === filesOf(was); // the link before brought it: nobody's work
    if (untouched && kept.value !== undefined) kept.value = { draft: kept.value.draft, brought: filesOf(shared) };
    else kept.value = was.files.length > 0 ? { draft: was, brought: filesOf(shared) } : undefined;
    replace(shared);
    notice.value = look;
    history.replaceState(null, "", location.pathname);
  } catch (error) {
    notice.value = "The link cannot be read: " + said(error);
  }
}
