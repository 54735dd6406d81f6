import { signal } from "@preact/signals";
import { user } from "./session.ts";
import { browserStore } from "./storage.ts";

/** A panel that was deleted in this browser and may still be brought back. */
export interface DeletedPanel {
	id: string;
	name: string;
	/** Milliseconds since the epoch. */
	at: number;
}

/** The service purges a deleted panel after so long. */
const undoPeriod = 30 * 86_400_000;
const most = 20;

const changes = signal(0);

/** What the person deleted here lately, newest first. */
export function deletedPanels(): DeletedPanel[] {
	changes.value;
	const stored = browserStore.get(key());
	if (stored === null) return [];
	try {
		const since = Date.now() - undoPeriod;
		return (JSON.parse(stored) as DeletedPanel[]).filter((panel) => panel.at > since);
	} catch {
		return [];
	}
}

export function rememberDeleted(panel: { id: string; name: string }): void {
	write([{ id: panel.id, name: panel.name, at: Date.now() }, ...without(panel.id)].slice(0, most));
}

export function forgetDeleted(id: string): void {
	write(without(id));
}

const key = () => `rad.deleted.${user.value?.id ?? ""}`;
const without = (id: string) => deletedPanels().filter((panel) => panel.id !== id);

function write(panels: DeletedPanel[]): void {
	browserStore.set(key(), panels.length > 0 ? JSON.stringify(panels) : null);
	changes.value++;
}
