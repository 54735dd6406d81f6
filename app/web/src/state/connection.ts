import { signal } from "@preact/signals";

/** Whether the service cannot be reached: the browser says so, or requests got no answer. */
export const offline = signal(!navigator.onLine);

/** When an overloaded service is asked again, in milliseconds since the epoch; null while it answers. */
export const busyUntil = signal<number | null>(null);

/** Counts the returns of the connection: views that failed without one load again. */
export const reconnections = signal(0);

addEventListener("offline", () => {
	offline.value = true;
});
addEventListener("online", () => reached(true));

/** Notes whether a request got an answer, whatever it was. */
export function reached(yes: boolean): void {
	if (yes && offline.value) reconnections.value++;
	offline.value = !yes;
}
