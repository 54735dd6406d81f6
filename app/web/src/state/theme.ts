import { effect, signal } from "@preact/signals";
import { browserStore } from "./storage.ts";

/** What the person chose; "system" follows the device. */
export type Theme = "system" | "light" | "dark";

const key = "rad.theme";

/** The chosen theme, kept in this browser. boot.js has set it already when this module runs. */
export const theme = signal<Theme>(read());

effect(() => {
	if (theme.value === "system") delete document.documentElement.dataset.theme;
	else document.documentElement.dataset.theme = theme.value;
	browserStore.set(key, theme.value === "system" ? null : theme.value);
});

function read(): Theme {
	const stored = browserStore.get(key);
	return stored === "light" || stored === "dark" ? stored : "system";
}
