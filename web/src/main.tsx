import { render } from "preact";
import "./style.css";
import { App } from "./app.js";
import { remember } from "./draft.js";
import { resume } from "./session.js";
import { opened } from "./opening.js";

remember();
await Promise.all([resume(), opened()]);
const at = document.getElementById("app");
if (at !== null) render(<App />, at);
