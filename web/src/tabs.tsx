import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";

export interface Tab {
  id: string;
  name: string;
  mark?: ComponentChildren;
}

/** Tabs as screen readers and keyboards expect them: one stop, arrows between. */
export function Tabs({ label, tabs, at, choose, panel }: { label: string; tabs: Tab[]; at: string; choose: (id: string) => void; panel: string }) {
  const list = useRef<HTMLDivElement>(null);
  const key = (event: KeyboardEvent) => {
    const now = tabs.findIndex((tab) => tab.id === at);
    const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = tabs[(to + tabs.length) % tabs.length];
    if (next === undefined) return;
    choose(next.id);
    list.current?.querySelector<HTMLElement>(`#tab-${panel}-${next.id}`)?.focus();
  };
  return (
    <div role="tablist" aria-label={label} class="tabs" ref={list} onKeyDown={key}>
      {tabs.map((tab) => (
        <button key={tab.id} id={`tab-${panel}-${tab.id}`} type="button" role="tab" aria-selected={tab.id === at} aria-controls={`panel-${panel}`} tabIndex={tab.id === at ? 0 : -1} onClick={() => choose(tab.id)}>
          {tab.name}
          {tab.mark}
        </button>
      ))}
    </div>
  );
}
