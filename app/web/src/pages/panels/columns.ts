/** Reads column names out of a text in which commas separate them: trimmed, none empty, none twice. */
export function parseColumns(text: string): string[] {
	return [
		...new Set(
			text
				.split(",")
				.map((name) => name.trim())
				.filter((name) => name !== ""),
		),
	];
}

/** Moves the entry at one place to another; other entries keep their order. */
export function moved<T>(list: readonly T[], from: number, to: number): T[] {
	const result = [...list];
	const [entry] = result.splice(from, 1);
	if (entry !== undefined) result.splice(to, 0, entry);
	return result;
}

/** The fields that records have and the table does not show, the most frequent first. */
export function hiddenFields(
	records: readonly { data: Record<string, unknown> }[],
	shown: readonly string[],
): string[] {
	const counts = new Map<string, number>();
	for (const record of records) {
		for (const name of Object.keys(record.data)) {
			if (!shown.includes(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
		}
	}
	return [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).map(([name]) => name);
}
