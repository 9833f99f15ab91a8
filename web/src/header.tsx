import { Icon } from "./icons.js";
import { ready, signOut } from "./session.js";
import { dark, turn } from "./theme.js";
import mark from "./icon.svg";

const places: [string, string][] = [["/", "Playground"], ["/status", "Status"], ["/api", "API"]];

export function Header({ path }: { path: string }) {
  return (
    <header>
      <a class="name" href="/">
        <img src={mark} alt="" width="24" height="24" />
        <span>Cordon</span>
      </a>
      <nav aria-label="Pages">
        {places.map(([at, name]) => (
          <a key={at} href={at} aria-current={at === path ? "page" : undefined}>
            {name}
          </a>
        ))}
      </nav>
      <span class="gap" />
      <button type="button" class="icon" onClick={turn} aria-label={dark.value ? "Light colours" : "Dark colours"} title={dark.value ? "Light colours" : "Dark colours"}>
        <Icon name={dark.value ? "sun" : "moon"} />
      </button>
      {ready.value && (
        <button type="button" class="icon" onClick={() => void signOut()} aria-label="Leave: forget the token" title="Leave: forget the token">
          <Icon name="leave" />
        </button>
      )}
    </header>
  );
}
