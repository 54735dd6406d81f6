import { batch, computed, signal } from "@preact/signals";
import type { User } from "../api/types.ts";
import { browserStore } from "./storage.ts";

/** "unknown" until the service has said who is signed in. */
export type Standing = "unknown" | "signed-in" | "signed-out";

const key = "rad.user";

export const standing = signal<Standing>("unknown");
/** Who is signed in. It stays set while an expired session is being renewed, so that the page stays as it is. */
export const user = signal<User | null>(null);
export const isAdmin = computed(() => user.value?.role === "admin");

/** The renewal that is being asked for; null when none is. */
export const renewal = signal<{ email: string } | null>(null);

let pending: { promise: Promise<boolean>; settle: (renewed: boolean) => void } | null = null;
const onSignOut = new Set<(left: boolean) => void>();
let ending = new AbortController();

/**
 * Calls forget whenever a session ends: what is held of its user must go. left tells that they went by themselves, so that
 * nothing of theirs may stay in this browser; otherwise they may come back to what they had begun.
 */
export function whenSignedOut(forget: (left: boolean) => void): void {
	onSignOut.add(forget);
}

/** Whether somebody was signed in when this browser was left. */
export function isExpected(): boolean {
	return browserStore.get(key) !== null;
}

/** Aborts when the session of now ends: what goes on behind a page is nothing to whoever signs in next. */
export function sessionEnd(): AbortSignal {
	return ending.signal;
}

export function signedIn(who: User): void {
	batch(() => {
		if (user.value && user.value.id !== who.id) forgetAll(true);
		user.value = who;
		standing.value = "signed-in";
	});
	browserStore.set(key, who.id);
	settle(true);
}

/** Ends the session here. left: the person said so. */
export function signedOut(left: boolean): void {
	batch(() => {
		user.value = null;
		standing.value = "signed-out";
		forgetAll(left);
	});
	browserStore.set(key, null);
	settle(false);
}

/**
 * Asks the person to sign in again, over the page as it stands. All requests that wait share one question. False when
 * they would rather leave, or when nobody was signed in.
 */
export function signInAgain(): Promise<boolean> {
	const who = user.value;
	if (!who) return Promise.resolve(false);
	if (!pending) {
		let settleIt: (renewed: boolean) => void = () => undefined;
		const promise = new Promise<boolean>((resolve) => {
			settleIt = resolve;
		});
		pending = { promise, settle: settleIt };
		renewal.value = { email: who.email };
	}
	return pending.promise;
}

function settle(renewed: boolean): void {
	renewal.value = null;
	pending?.settle(renewed);
	pending = null;
}

function forgetAll(left: boolean): void {
	ending.abort(new DOMException("the session ended", "AbortError"));
	ending = new AbortController();
	for (const forget of onSignOut) forget(left);
}

// Another tab signed out, or in as somebody else: this one must not go on showing what it shows.
addEventListener("storage", (event) => {
	if (event.key === key && user.value && event.newValue !== user.value.id) location.reload();
});
