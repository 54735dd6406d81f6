import { useCallback, useState } from "preact/hooks";
import { parseExact } from "../api/exact.ts";
import { whenSignedOut } from "./session.ts";
import { tabStore } from "./storage.ts";

const prefix = "rad.draft.";

/**
 * State of a form that survives a reload, a crash and an expired session: it is kept in this tab until it is cleared.
 * A draft is the person's own; it goes when they sign out.
 */
export function useDraft<T>(key: string, initial: T): [T, (value: T) => void, () => void] {
	const [value, setValue] = useState<T>(() => read(key) ?? initial);
	const change = useCallback(
		(next: T) => {
			setValue(next);
			tabStore.set(prefix + key, JSON.stringify(next));
		},
		[key],
	);
	const clear = useCallback(() => tabStore.set(prefix + key, null), [key]);
	return [value, change, clear];
}

function read<T>(key: string): T | null {
	const stored = tabStore.get(prefix + key);
	if (stored === null) return null;
	try {
		return parseExact(stored) as T;
	} catch {
		return null;
	}
}

whenSignedOut(() => {
	try {
		for (const key of Object.keys(sessionStorage)) if (key.startsWith(prefix)) sessionStorage.removeItem(key);
	} catch {
		// No storage, no drafts.
	}
});
