/** Browser storage that may be full or forbidden: reading gives null then, and writing does nothing. */
export interface Store {
	get(key: string): string | null;
	set(key: string, value: string | null): void;
}

function guarded(storage: () => Storage): Store {
	return {
		get(key) {
			try {
				return storage().getItem(key);
			} catch {
				return null;
			}
		},
		set(key, value) {
			try {
				if (value === null) storage().removeItem(key);
				else storage().setItem(key, value);
			} catch {
				// Kept in memory only, then.
			}
		},
	};
}

/** What this browser keeps: the theme, and who was signed in last. */
export const browserStore = guarded(() => localStorage);

/** What this tab keeps until it is closed: drafts. */
export const tabStore = guarded(() => sessionStorage);
