import { effect } from "@preact/signals";
import { root } from "../api/client.ts";
import { type PageLoad, pageLoadOf } from "../api/page-load.ts";
import { standing } from "./session.ts";

/** Tells the service once how long this page took to load, as soon as somebody is signed in. Nobody waits for it. */
export function reportPageLoad(): void {
	const stop = effect(() => {
		if (standing.value !== "signed-in") return;
		queueMicrotask(() => stop());
		const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
		const resources = performance.getEntriesByType("resource") as PerformanceResourceTiming[];
		const load = pageLoadOf(
			navigation,
			resources.filter(({ name }) => /\/assets\/[^/]+\.js$/.test(name)),
		);
		if (load) void send(load);
	});
}

async function send(load: PageLoad): Promise<void> {
	try {
		await fetch(`${root}/page-loads`, {
			method: "POST",
			credentials: "same-origin",
			keepalive: true,
			headers: { "Content-Type": "application/json" },
			body: JSON.stringify(load),
		});
	} catch {
		// One figure less.
	}
}
