import { lazy, Suspense } from "preact/compat";
import { useEffect } from "preact/hooks";
import { Header } from "./header.js";
import { Playground } from "./playground.js";
import { ready } from "./session.js";
import { Entrance } from "./entrance.js";

const Status = lazy(() => import("./status.js").then((m) => m.Status));
const Reference = lazy(() => import("./reference.js").then((m) => m.Reference));

const titles: Record<string, string> = { "/": "Cordon", "/status": "Status · Cordon", "/api": "API · Cordon" };

export function App() {
  const path = location.pathname;
  useEffect(() => void (document.title = titles[path] ?? "Cordon"), [path]);
  const open = path === "/api"; // the description needs no token
  return (
    <>
      <Header path={path} />
      {!ready.value && !open ? <Entrance /> : <Suspense fallback={<main class="wide" aria-busy="true" />}>{view(path)}</Suspense>}
    </>
  );
}

function view(path: string) {
  switch (path) {
    case "/status":
      return <Status />;
    case "/api":
      return <Reference />;
  }
  return <Playground />;
}
