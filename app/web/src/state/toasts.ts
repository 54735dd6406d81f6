import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { whenSignedOut } from "./session.ts";

/** A short message in the corner of the page, with at most one thing to do about it. */
export interface Toast {
	id: number;
	tone: "plain" | "good" | "bad";
	text: ComponentChildren;
	action?: { label: string; run: () => void } | undefined;
	/** Share done, from 0 to 1; null when it is not known how much there is to do. */
	progress?: number | null | undefined;
	/** Milliseconds until it goes; it waits while it is pointed at or holds the focus. Undefined: it stays. */
	lasts?: number | undefined;
}

export const toasts = signal<readonly Toast[]>([]);
whenSignedOut(() => {
	toasts.value = [];
});

let last = 0;

/** Long enough to read a sentence and reach for its button. */
export const shortly = 6_000;
/** Long enough to notice a mistake and take it back. */
export const undoable = 20_000;

/** Shows a toast and gives its id. */
export function toast(content: Omit<Toast, "id">): number {
	const id = ++last;
	toasts.value = [...toasts.value, { id, ...content }];
	return id;
}

/** Replaces what a toast shows; a toast that was closed meanwhile stays closed. */
export function updateToast(id: number, content: Omit<Toast, "id">): void {
	toasts.value = toasts.value.map((one) => (one.id === id ? { id, ...content } : one));
}

export function closeToast(id: number): void {
	toasts.value = toasts.value.filter((one) => one.id !== id);
}
