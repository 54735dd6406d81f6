import { effect, signal } from "@preact/signals";

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

/** While the service is out of reach and the network is not, its web server is asked so often; in milliseconds. */
const pause = 4_000;

effect(() => {
	if (!offline.value) return;
	const timer = setInterval(() => {
		if (navigator.onLine) void probe();
	}, pause);
	return () => clearInterval(timer);
});

/** Asks the web server whether it can be reached at all, and notes it. */
export async function probe(): Promise<boolean> {
	const answers = await fetch("/", { method: "HEAD", cache: "no-store" }).then(
		() => true,
		() => false,
	);
	reached(answers);
	return answers;
}

/** Notes whether a request got an answer, whatever it was. */
export function reached(yes: boolean): void {
	if (yes && offline.value) reconnections.value++;
	offline.value = !yes;
}
