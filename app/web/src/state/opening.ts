import { signal } from "@preact/signals";
import { service, take } from "../api/client.ts";
import { RequestError } from "../api/problem.ts";
import type { User } from "../api/types.ts";
import { reconnections } from "./connection.ts";
import { isExpected, signedIn, signedOut } from "./session.ts";

declare global {
	interface Window {
		/** The question who is signed in, asked by boot.js. */
		radSession?: Promise<Response>;
	}
}

/** Why it is not known who is signed in. */
export const openingError = signal<RequestError | null>(null);

/**
 * Finds out who is signed in: by the request that boot.js has sent, or, when that failed and somebody is expected, by one
 * of its own.
 */
export async function openSession(): Promise<void> {
	openingError.value = null;
	const early = window.radSession;
	delete window.radSession;
	try {
		const answer = await early?.catch(() => undefined);
		if (answer?.status === 204 || answer?.status === 401) return signedOut(false);
		const said = answer?.ok && ((await answer.json().catch(() => undefined)) as { user: User } | undefined);
		if (said) return signedIn(said.user);
		if (!isExpected()) return signedOut(false);
		const { user } = await take(service.GET("/api/v1/session"));
		signedIn(user);
	} catch (error) {
		if (!(error instanceof RequestError)) throw error;
		if (error.fault === "signed-out") return signedOut(false);
		openingError.value = error;
	}
}

reconnections.subscribe((count) => {
	if (count > 0 && openingError.peek()) void openSession();
});
