import { effect, signal } from "@preact/signals";
import { root } from "../api/client.ts";
import type { Scaling } from "../api/types.ts";
import { isAdmin } from "./session.ts";

/** How many triggers of the plan have fired, as far as this tab knows: administrators see it wherever they are. */
export const triggersFired = signal(0);

/** Looked at so soon after the first page, when it is not in the way, and so often from then on; in milliseconds. */
const firstLook = 3_000;
const pause = 300_000;

effect(() => {
	if (!isAdmin.value) {
		triggersFired.value = 0;
		return;
	}
	const first = setTimeout(look, firstLook);
	const others = setInterval(() => document.visibilityState === "visible" && void look(), pause);
	return () => {
		clearTimeout(first);
		clearInterval(others);
	};
});

/** Asks once, without the patience of what a person asked for: nobody is waiting for this. */
async function look(): Promise<void> {
	try {
		const answer = await fetch(`${root}/admin/scaling`, { credentials: "same-origin" });
		if (answer.ok) note((await answer.json()) as Scaling);
	} catch {
		// The next look may have more luck.
	}
}

/** Takes over what was just read for another reason. */
export function note(scaling: Scaling): void {
	triggersFired.value = scaling.triggers.filter((trigger) => trigger.fired).length;
}
