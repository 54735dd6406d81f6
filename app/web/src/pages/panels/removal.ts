import { ifMatch, service, take } from "../../api/client.ts";
import { RequestError } from "../../api/problem.ts";
import type { Panel } from "../../api/types.ts";
import { forgetDeleted, rememberDeleted } from "../../state/deleted-panels.ts";
import { shortly, toast, undoable } from "../../state/toasts.ts";
import { explain, strings } from "../../strings.ts";

const text = strings.panels;

/** Deletes a panel and offers to take that back. False when it could not be deleted. */
export async function removePanel(panel: Panel, onRestored: () => void): Promise<boolean> {
	try {
		await take(
			service.DELETE("/api/v1/panels/{panel_id}", {
				params: { path: { panel_id: panel.id }, header: { "If-Match": ifMatch(panel.version) } },
			}),
		);
	} catch (error) {
		// A panel that is not there any more is deleted, as was asked: an earlier try did it, and its answer got lost.
		const gone = error instanceof RequestError && error.fault === "not-found";
		if (!gone) {
			toast({ tone: "bad", text: explainAny(error), lasts: undoable });
			return false;
		}
	}
	rememberDeleted(panel);
	toast({
		tone: "plain",
		text: text.deleted(panel.name),
		lasts: undoable,
		action: { label: text.undo, run: () => void restorePanel(panel, onRestored) },
	});
	return true;
}

/** Brings a deleted panel back. */
export async function restorePanel(panel: { id: string; name: string }, settled: () => void): Promise<void> {
	try {
		await take(service.POST("/api/v1/panels/{panel_id}/restoration", { params: { path: { panel_id: panel.id } } }));
		toast({ tone: "good", text: text.restored(panel.name), lasts: shortly });
		forgetDeleted(panel.id);
	} catch (error) {
		const gone = error instanceof RequestError && error.fault === "not-found";
		if (gone) forgetDeleted(panel.id);
		toast({ tone: "bad", text: gone ? text.restoreGone : explainAny(error), lasts: undoable });
	}
	settled();
}

function explainAny(error: unknown): string {
	if (error instanceof RequestError) return explain(error);
	throw error;
}
