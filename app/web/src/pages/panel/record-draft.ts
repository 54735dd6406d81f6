import type { PanelRecord } from "../../api/types.ts";
import type { Changes } from "./record-edits.ts";
import { fieldOf, type Kind, read, show, type Value } from "./values.ts";

/** A record in a form, as text. */
export interface RecordDraft {
	/** The version that the form was filled from; null for a record that does not exist yet. */
	base: PanelRecord | null;
	title: string;
	fields: { name: string; text: string }[];
}

/** A form filled from a record: first the columns that the panel shows, then the record's other fields. */
export function draftOf(record: PanelRecord | null, columns: readonly string[]): RecordDraft {
	const others = Object.keys(record?.data ?? {}).filter((name) => !columns.includes(name));
	return {
		base: record,
		title: record?.title ?? "",
		fields: [...columns, ...others].map((name) => ({ name, text: show(fieldOf(record?.data, name)) })),
	};
}

/** Whether two drafts hold the same text. */
export function isSame(a: RecordDraft, b: RecordDraft): boolean {
	return a.title === b.title && JSON.stringify(a.fields) === JSON.stringify(b.fields);
}

/** What the form changes, or which of its fields cannot be read. */
export function changesOf(draft: RecordDraft): { changes: Changes } | { faults: Map<string, Kind> } {
	const before = draft.base?.data ?? {};
	const data = new Map<string, Value>();
	const faults = new Map<string, Kind>();
	for (const { name, text } of draft.fields) {
		const value = fieldOf(before, name);
		if (text === show(value)) continue;
		const reading = read(text, value);
		if ("expected" in reading) faults.set(name, reading.expected);
		else data.set(name, reading.value);
	}
	if (faults.size > 0) return { faults };
	const kept = new Set(draft.fields.map((field) => field.name));
	for (const name of Object.keys(before)) if (!kept.has(name)) data.set(name, undefined);
	const title = draft.title.trim();
	return { changes: title === draft.base?.title ? { data } : { title, data } };
}
