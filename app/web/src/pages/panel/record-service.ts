import { ifMatch, service, take } from "../../api/client.ts";
import { parseExact } from "../../api/exact.ts";
import type { PanelRecord, RecordList } from "../../api/types.ts";
import { reconnections } from "../../state/connection.ts";
import { whenSignedOut } from "../../state/session.ts";
import type { RecordSort } from "./grid.tsx";
import { RecordEdits } from "./record-edits.ts";
import type { Page } from "./record-pages.ts";

/** The most that the service gives at once. */
const pageSize = 200;

interface RecordContent {
	title: string;
	data: Record<string, unknown>;
}

interface RecordQuery {
	q: string;
	sort: RecordSort;
	cursor: string | undefined;
}

/** Loads one page of a panel's records. */
export async function fetchRecords(
	panelID: string,
	{ q, sort, cursor }: RecordQuery,
	signal: AbortSignal,
): Promise<Page> {
	const query = { sort, limit: pageSize, ...(q && { q }), ...(cursor && { cursor }) };
	const path = { panel_id: panelID };
	const page = await exact<RecordList>(
		take(service.GET("/api/v1/panels/{panel_id}/records", { params: { path, query }, signal, parseAs: "text" })),
	);
	return { items: page.items, next: page.next_cursor, total: page.total };
}

const kept = new Map<string, RecordEdits>();
whenSignedOut(() => kept.clear());
addEventListener("beforeunload", (event) => {
	if ([...kept.values()].some((edits) => edits.all().length > 0)) event.preventDefault();
});
reconnections.subscribe((count) => {
	if (count > 0) for (const edits of kept.values()) edits.retry();
});

/**
 * The changes of a panel's records that are on their way. They outlive the panel's page: what could not be saved is
 * still there when the person comes back, and is tried again when the connection is.
 */
export function editsOf(panelID: string): RecordEdits {
	const known = kept.get(panelID);
	if (known) return known;
	const edits = new RecordEdits({
		save: (id, version, content) =>
			exact<PanelRecord>(
				take(
					service.PATCH("/api/v1/panels/{panel_id}/records/{record_id}", {
						params: { path: { panel_id: panelID, record_id: id }, header: { "If-Match": ifMatch(version) } },
						body: content,
						parseAs: "text",
					}),
				),
			),
		load: (id) => loadRecord(panelID, id),
	});
	kept.set(panelID, edits);
	return edits;
}

function loadRecord(panelID: string, id: string): Promise<PanelRecord> {
	const path = { panel_id: panelID, record_id: id };
	return exact(
		take(service.GET("/api/v1/panels/{panel_id}/records/{record_id}", { params: { path }, parseAs: "text" })),
	);
}

/** Adds a record; key is the create's Idempotency-Key. */
export function addRecord(panelID: string, content: RecordContent, key: string): Promise<PanelRecord> {
	return exact(
		take(
			service.POST("/api/v1/panels/{panel_id}/records", {
				params: { path: { panel_id: panelID }, header: { "Idempotency-Key": key } },
				body: content,
				parseAs: "text",
			}),
		),
	);
}

/** An answer with records: its numbers keep all their digits. */
async function exact<T>(answer: Promise<string>): Promise<T> {
	return parseExact(await answer) as T;
}
