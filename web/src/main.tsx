import { render } from "preact";
import "./style.css";
import { App } from "./app.js";
import { remember } from "./draft.js";
import { resume } from "./session.js";
import { opened } from "./opening.js";
import { settle } from "./settle.js";

remember();
await resume();
await opened();
// A link that is pasted into the address of this page changes the fragment alone.
addEventListener("hashchange", () => void resume().then(opened).then(settle));
const at = document.getElementById("app");
if (at !== null) render(<App />, at);
