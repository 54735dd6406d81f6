import { render } from "preact";
import { App } from "./app.tsx";
import { openSession } from "./state/opening.ts";
import { reportPageLoad } from "./state/page-load.ts";
import "./state/theme.ts";

const root = document.getElementById("app");
if (!root) throw new Error("index.html has no element #app");
void openSession();
render(<App />, root);

// After the load event, whose end is what is measured.
addEventListener("load", () => setTimeout(reportPageLoad));
