import { type Signal, signal } from "@preact/signals";
import { RequestError } from "../../api/problem.ts";
import type { PanelRecord } from "../../api/types.ts";
import { fieldOf, same, type Value } from "./values.ts";

/** Changes to one record: its title, or fields of its document. Undefined as a field's value removes the field. */
export interface Changes {
	title?: string;
	data: ReadonlyMap<string, Value>;
}

/** A field that both this person and somebody else changed. The title is called null. */
export interface ConflictingField {
	name: string | null;
	mine: Value;
	theirs: Value;
}

/** Changes that are not saved yet. */
export interface Edit {
	/** The version that the person saw. */
	base: PanelRecord;
	changes: Changes;
	saving: boolean;
	error: RequestError | undefined;
	conflict: { latest: PanelRecord; fields: ConflictingField[] } | undefined;
}

/** Hears of a record that was saved; merged: together with a change that somebody else had made. */
export type SavedListener = (record: PanelRecord, merged: boolean) => void;

/** What saving needs from the service. */
export interface RecordStore {
	/** Saves title and document over a version; a RequestError with fault "stale" when there is a newer one. */
	save(id: string, version: number, content: { title?: string; data?: Record<string, Value> }): Promise<PanelRecord>;
	load(id: string): Promise<PanelRecord>;
}

/**
 * The changes of a panel's records on their way to the service. Each record is saved by one request at a time; changes
 * made meanwhile follow. A change that could not be saved stays, with its reason, until it is saved or discarded. When
 * somebody else changed other fields of the record, both changes are kept; the same field is a conflict for the person.
 */
export class RecordEdits {
	/** Grows whenever an edit changed; reading it subscribes. */
	readonly revision: Signal<number> = signal(0);
	private readonly edits = new Map<string, Edit>();

	private readonly listeners = new Set<SavedListener>();

	constructor(private readonly store: RecordStore) {}

	/** Calls listener for each record that was saved, or read again; gives back how to end that. */
	listen(listener: SavedListener): () => void {
		this.listeners.add(listener);
		return () => this.listeners.delete(listener);
	}

	/** The edit of a record; undefined when everything is saved. */
	of(id: string): Edit | undefined {
		return this.edits.get(id);
	}

	all(): Edit[] {
		return [...this.edits.values()];
	}

	/** The edits that failed and wait for the person. */
	failed(): Edit[] {
		return this.all().filter((edit) => edit.error);
	}

	/** The record as the person means it: what is saved, with the changes on top. */
	draft(record: PanelRecord): PanelRecord {
		const edit = this.edits.get(record.id);
		return edit ? { ...record, ...applied(edit.base, edit.changes) } : record;
	}

	/** Takes changes over and saves them; resolves when that worked or failed. */
	async change(record: PanelRecord, changes: Changes): Promise<void> {
		const edit = this.edits.get(record.id);
		if (edit) {
			edit.changes = { ...edit.changes, ...changes, data: new Map([...edit.changes.data, ...changes.data]) };
			edit.error = undefined;
		} else {
			const data = new Map([...changes.data].filter(([name, value]) => !same(fieldOf(record.data, name), value)));
			const renamed = changes.title !== undefined && changes.title !== record.title;
			if (data.size === 0 && !renamed) return;
			this.edits.set(record.id, {
				base: record,
				changes: renamed ? { title: changes.title as string, data } : { data },
				saving: false,
				error: undefined,
				conflict: undefined,
			});
		}
		this.changed();
		await this.save(record.id);
	}

	/** Saves changes, or gives the reason why not and keeps none of them: what was not saved before is as it was. */
	async attempt(record: PanelRecord, changes: Changes): Promise<RequestError | undefined> {
		const before = this.edits.get(record.id)?.changes;
		await this.change(record, changes);
		const edit = this.edits.get(record.id);
		if (!edit?.error) return undefined;
		if (before) edit.changes = before;
		else this.edits.delete(record.id);
		this.changed();
		return edit.error;
	}

	/** Tries again to save what failed. */
	retry(): void {
		for (const edit of this.failed()) {
			edit.error = undefined;
			void this.save(edit.base.id);
		}
	}

	discard(id: string): void {
		this.edits.delete(id);
		this.changed();
	}

	/** Answers a conflict: the person's values, or the ones that are there. */
	resolve(id: string, keep: "mine" | "theirs"): void {
		const edit = this.edits.get(id);
		if (!edit?.conflict) return;
		const { latest, fields } = edit.conflict;
		edit.conflict = undefined;
		edit.base = latest;
		this.tell(latest, false);
		if (keep === "theirs") edit.changes = without(edit.changes, fields);
		if (isEmpty(edit.changes)) this.discard(id);
		else void this.save(id);
		this.changed();
	}

	private async save(id: string): Promise<void> {
		const edit = this.edits.get(id);
		if (!edit || edit.saving || edit.conflict) return;
		edit.saving = true;
		this.changed();
		let merged = false;
		try {
			while (this.edits.get(id) === edit && !isEmpty(edit.changes)) {
				const sent = edit.changes;
				const saved = await this.send(edit, sent);
				if (!saved) {
					if (edit.conflict) return;
					merged = true;
					continue;
				}
				edit.base = saved;
				edit.changes = since(edit.changes, sent);
				this.tell(saved, merged);
			}
			if (this.edits.get(id) === edit) this.edits.delete(id);
		} catch (error) {
			if (!(error instanceof RequestError)) throw error;
			edit.error = error;
		} finally {
			edit.saving = false;
			this.changed();
		}
	}

	/** Sends changes; undefined when the record had changed: the edit is then based on the newest, or in conflict. */
	private async send(edit: Edit, sent: Changes): Promise<PanelRecord | undefined> {
		const meant = applied(edit.base, sent);
		const content = {
			...(sent.title !== undefined && { title: meant.title }),
			...(sent.data.size > 0 && { data: meant.data }),
		};
		try {
			return await this.store.save(edit.base.id, edit.base.version, content);
		} catch (error) {
			if (!(error instanceof RequestError) || error.fault !== "stale") throw error;
		}
		const latest = await this.store.load(edit.base.id);
		const fields = conflicts(edit.base, latest, sent);
		if (fields.length === 0 && isEmpty(since(sent, asChanges(latest, sent)))) return latest; // An answer got lost: it is saved.
		if (fields.length > 0) edit.conflict = { latest, fields };
		else edit.base = latest;
		return undefined;
	}

	private tell(record: PanelRecord, merged: boolean): void {
		for (const listener of this.listeners) listener(record, merged);
	}

	private changed(): void {
		this.revision.value++;
	}
}

function applied(base: PanelRecord, changes: Changes): { title: string; data: Record<string, Value> } {
	const data = Object.entries({ ...base.data, ...Object.fromEntries(changes.data) });
	return {
		title: changes.title ?? base.title,
		data: Object.fromEntries(data.filter(([, value]) => value !== undefined)),
	};
}

const isEmpty = (changes: Changes) => changes.title === undefined && changes.data.size === 0;

/** The values that a record has in the fields that changes are about. */
function asChanges(record: PanelRecord, like: Changes): Changes {
	const data = new Map([...like.data.keys()].map((name) => [name, fieldOf(record.data, name)]));
	return like.title === undefined ? { data } : { title: record.title, data };
}

/** The changes that are left when others have been saved: those made or made again meanwhile. */
function since(now: Changes, saved: Changes): Changes {
	const data = new Map(
		[...now.data].filter(([name, value]) => !saved.data.has(name) || !same(saved.data.get(name), value)),
	);
	return now.title === undefined || now.title === saved.title ? { data } : { title: now.title, data };
}

function without(changes: Changes, fields: readonly ConflictingField[]): Changes {
	const names = new Set(fields.map((field) => field.name));
	const data = new Map([...changes.data].filter(([name]) => !names.has(name)));
	return changes.title === undefined || names.has(null) ? { data } : { title: changes.title, data };
}

/** The fields that the person changed and somebody else changed too, to something else. */
function conflicts(base: PanelRecord, latest: PanelRecord, changes: Changes): ConflictingField[] {
	const fields: ConflictingField[] = [];
	if (changes.title !== undefined && latest.title !== base.title && latest.title !== changes.title) {
		fields.push({ name: null, mine: changes.title, theirs: latest.title });
	}
	for (const [name, mine] of changes.data) {
		const theirs = fieldOf(latest.data, name);
		if (!same(theirs, fieldOf(base.data, name)) && !same(theirs, mine)) fields.push({ name, mine, theirs });
	}
	return fields;
}
