import { useCallback, useState } from "preact/hooks";
import { parseExact } from "../api/exact.ts";
import { user, whenSignedOut } from "./session.ts";
import { tabStore } from "./storage.ts";

const prefix = "rad.draft.";

/** Each person's drafts are their own, also where several use one browser. */
const place = (key: string) => `${prefix}${user.value?.id ?? "nobody"}.${key}`;

/**
 * State of a form that survives a reload, a crash and an expired session: it is kept in this tab until it is cleared, or
 * the person signs out.
 */
export function useDraft<T>(key: string, initial: T): [T, (value: T) => void, () => void] {
	const [value, setValue] = useState<T>(() => read(place(key)) ?? initial);
	const change = useCallback(
		(next: T) => {
			setValue(next);
			tabStore.set(place(key), JSON.stringify(next));
		},
		[key],
	);
	const clear = useCallback(() => tabStore.set(place(key), null), [key]);
	return [value, change, clear];
}

function read<T>(key: string): T | null {
	const stored = tabStore.get(key);
	if (stored === null) return null;
	try {
		return parseExact(stored) as T;
	} catch {
		return null;
	}
}

whenSignedOut((left) => {
	if (!left) return;
	try {
		for (const key of Object.keys(sessionStorage)) if (key.startsWith(prefix)) sessionStorage.removeItem(key);
	} catch {
		// No storage, no drafts.
	}
});
