import { effect, signal } from "@preact/signals";

const key = "cordon.theme";
export type Theme = "auto" | "light" | "dark";

const kept = ((): Theme => {
  try {
    const was = localStorage.getItem(key);
    return was === "light" || was === "dark" ? was : "auto";
  } catch {
    return "auto";
  }
})();

export const theme = signal<Theme>(kept);
const system = matchMedia("(prefers-color-scheme: dark)");
/** What is shown; charts ask for it. */
export const dark = signal(isDark());

function isDark(): boolean {
  return theme.value === "dark" || (theme.value === "auto" && system.matches);
}

system.addEventListener("change", () => void (dark.value = isDark()));
effect(() => {
  document.documentElement.dataset.theme = theme.value;
  dark.value = isDark();
  try {
    if (theme.value === "auto") localStorage.removeItem(key);
    else localStorage.setItem(key, theme.value);
  } catch {
    // it holds for this tab
  }
});

export const turn = (): void => void (theme.value = dark.value ? "light" : "dark");
