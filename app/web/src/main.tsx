import { render } from "preact";
import { App } from "./app.tsx";
import { openSession } from "./state/opening.ts";
import "./state/theme.ts";

const root = document.getElementById("app");
if (!root) throw new Error("index.html has no element #app");
void openSession();
render(<App />, root);

// A deployment replaces the hashed scripts: a page that was opened before it asks for one that is gone, and gets the new
// ones by loading again. Once only, should they be missing for another reason.
addEventListener("vite:preloadError", (event) => {
	const mark = "rad.reloaded";
	if (!navigator.onLine || sessionStorage.getItem(mark) === document.lastModified) return;
	sessionStorage.setItem(mark, document.lastModified);
	event.preventDefault();
	location.reload();
});
