/** Which records are selected, by id, and where the last click was, for ranges. */
export interface Selection {
	ids: ReadonlySet<string>;
	anchor: string | null;
}

export const nothing: Selection = { ids: new Set(), anchor: null };

/** Selects a record or takes it out. */
export function toggled(selection: Selection, id: string): Selection {
	const ids = new Set(selection.ids);
	if (!ids.delete(id)) ids.add(id);
	return { ids, anchor: id };
}

/** Selects all records from the last one that was touched to this one. */
export function extended(selection: Selection, id: string, order: readonly { id: string }[]): Selection {
	const from = order.findIndex((record) => record.id === selection.anchor);
	const to = order.findIndex((record) => record.id === id);
	if (from < 0 || to < 0) return toggled(selection, id);
	const range = order.slice(Math.min(from, to), Math.max(from, to) + 1);
	return { ids: new Set([...selection.ids, ...range.map((record) => record.id)]), anchor: id };
}
