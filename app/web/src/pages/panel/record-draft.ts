import type { PanelRecord } from "../../api/types.ts";
import type { Changes } from "./record-edits.ts";
import { fieldOf, type Kind, read, show, type Value } from "./values.ts";

/** A record in a form, as text. */
export interface RecordDraft {
	/** The record as it is saved; null when it does not exist yet. */
	base: PanelRecord | null;
	/** What the form was filled from: the record with the changes that are not saved yet. */
	meant: Pick<PanelRecord, "title" | "data"> | null;
	title: string;
	fields: { name: string; text: string }[];
}

/** A form filled from a record as it is meant: first the columns that the panel shows, then the record's other fields. */
export function draftOf(
	record: PanelRecord | null,
	columns: readonly string[],
	meant: RecordDraft["meant"] = record,
): RecordDraft {
	const others = Object.keys(meant?.data ?? {}).filter((name) => !columns.includes(name));
	return {
		base: record,
		meant,
		title: meant?.title ?? "",
		fields: [...columns, ...others].map((name) => ({ name, text: show(fieldOf(meant?.data, name)) })),
	};
}

/** Whether two drafts hold the same text. */
export function isSame(a: RecordDraft, b: RecordDraft): boolean {
	return a.title === b.title && JSON.stringify(a.fields) === JSON.stringify(b.fields);
}

/**
 * What the form changes, or which of its fields cannot be read. What is not saved yet is among the changes, and so is what
 * the form takes back of it.
 */
export function changesOf(draft: RecordDraft): { changes: Changes } | { faults: Map<string, Kind> } {
	const saved = draft.base?.data ?? {};
	const meant = draft.meant?.data ?? {};
	const data = new Map<string, Value>();
	const faults = new Map<string, Kind>();
	for (const { name, text } of draft.fields) {
		const value = fieldOf(saved, name);
		if (text === show(value) && text === show(fieldOf(meant, name))) continue;
		const reading = read(text, value);
		if ("expected" in reading) faults.set(name, reading.expected);
		else data.set(name, reading.value);
	}
	if (faults.size > 0) return { faults };
	const kept = new Set(draft.fields.map((field) => field.name));
	for (const name of Object.keys({ ...saved, ...meant })) if (!kept.has(name)) data.set(name, undefined);
	const title = draft.title.trim();
	const same = title === draft.base?.title && title === draft.meant?.title;
	return { changes: same ? { data } : { title, data } };
}
