import { signal } from "@preact/signals";
import { Transport } from "../../clients/typescript/src/transport.js";
import { Client, ProblemError, type LanguageInfo, type PolicyInfo } from "../../clients/typescript/src/index.js";

const key = "cordon.token";
const sessionKey = "cordon.session";

function kept(name: string): string {
  try {
    return sessionStorage.getItem(name) ?? "";
  } catch {
    return "";
  }
}

/** The token is kept for this tab, and gone with it. */
export const token = signal(kept(key));
export const languages = signal<LanguageInfo[]>([]);
export const policies = signal<PolicyInfo[]>([]);
/** Why nothing can be asked at the moment. */
export const trouble = signal("");
export const ready = signal(false);

const retries = 4;
export const transport = (): Transport => new Transport(location.origin, { token: token.value, retries });
export const client = (): Client => new Client(location.origin, { token: token.value, retries });

/** Tries a token, and keeps it when it is good. */
export async function enter(value: string): Promise<void> {
  const asked = new Client(location.origin, { token: value, retries: 1 });
  const [l, p] = await Promise.all([asked.languages(), asked.policies()]);
  languages.value = l.filter((one) => one.status === "ok");
  policies.value = p;
  token.value = value;
  try {
    sessionStorage.setItem(key, value);
  } catch {
    // then it is asked for again when the page is loaded again
  }
  ready.value = true;
}

export function leave(): void {
  token.value = "";
  ready.value = false;
  try {
    sessionStorage.removeItem(key);
    sessionStorage.removeItem(sessionKey);
  } catch {
    // there is nothing kept
  }
}

/** Forgets the token; a session that a link has begun ends with that. */
export async function signOut(): Promise<void> {
  const { value } = token;
  const ends = kept(sessionKey) !== "";
  leave();
  if (ends) await fetch("/v1/session", { method: "DELETE", headers: { Authorization: "Bearer " + value }, keepalive: true }).catch(() => undefined); // it expires
}

/** A one-time link's secret for a token of this tab. */
async function exchange(secret: string): Promise<string> {
  const response = await fetch("/v1/login", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ code: secret }), cache: "no-store", redirect: "manual" });
  const told = (await response.json()) as { token?: string; detail?: string };
  if (!response.ok || told.token === undefined) throw new Error(told.detail ?? `the link was not taken (status ${response.status})`);
  return told.token;
}

/** Begins with what the tab has: a link's secret, or the token from before. */
export async function resume(): Promise<void> {
  try {
    const secret = /^#login=([\w.-]+)$/.exec(location.hash)?.[1];
    if (secret !== undefined) {
      history.replaceState(null, "", location.pathname); // neither history nor a copied address has it
      await enter(await exchange(secret));
      sessionStorage.setItem(sessionKey, "by a link");
    } else if (token.value !== "" && !ready.value) {
      await enter(token.value);
    }
  } catch (error) {
    if (error instanceof ProblemError && error.status === 401) leave();
    trouble.value = said(error);
  }
}

/** What went wrong, for people. */
export function said(error: unknown): string {
  if (error instanceof ProblemError) {
    if (error.status === 401) return "The service does not know this token.";
    return error.path && !error.detail.startsWith(error.path) ? `${error.path}: ${error.detail}` : error.detail;
  }
  if (error instanceof TypeError) return "The service cannot be reached.";
  return error instanceof Error ? error.message : String(error);
}
