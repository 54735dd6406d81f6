import { busyUntil, reached } from "../state/connection.ts";
import { signInAgain } from "../state/session.ts";
import type { Surroundings } from "./retry.ts";

/** The browser and the application's own state, as the retry policy sees them. */
export const surroundings: Surroundings = {
	wait: (milliseconds, signal) =>
		new Promise((resolve, reject) => {
			const timer = setTimeout(done, milliseconds);
			// Back on line: no need to sit the rest of the wait out.
			addEventListener("online", done);
			signal?.addEventListener("abort", stopped);
			function clear() {
				clearTimeout(timer);
				removeEventListener("online", done);
				signal?.removeEventListener("abort", stopped);
			}
			function done() {
				clear();
				resolve();
			}
			function stopped() {
				clear();
				reject(signal?.reason);
			}
		}),
	signInAgain,
	busy: (retryAt) => {
		busyUntil.value = retryAt;
	},
	reached,
	now: () => Date.now(),
};
