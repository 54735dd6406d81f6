import { service, take } from "../api/client.ts";
import { newKey } from "../api/idempotency.ts";
import { RequestError } from "../api/problem.ts";
import type { Job, Panel } from "../api/types.ts";
import { explain, strings } from "../strings.ts";
import { download, followJob, resultAddress, shareDone } from "./jobs.ts";
import { sessionEnd } from "./session.ts";
import { toast, undoable, updateToast } from "./toasts.ts";

const text = strings.export;

/** Exports a panel as CSV: progress in a toast, then the download. The person may go on working, also elsewhere. */
export function exportPanel(panel: Panel): Promise<void> {
	const header = { "Idempotency-Key": newKey() };
	return exportAs(panel.name, () =>
		take(service.POST("/api/v1/panels/{panel_id}/exports", { params: { path: { panel_id: panel.id }, header } })),
	);
}

/** Exports all data of the person as a ZIP archive. */
export function exportAccount(): Promise<void> {
	const header = { "Idempotency-Key": newKey() };
	return exportAs(text.account, () => take(service.POST("/api/v1/account/exports", { params: { header } })));
}

async function exportAs(name: string, ask: () => Promise<Job>): Promise<void> {
	const end = sessionEnd();
	const id = toast({ tone: "plain", text: text.running(name), progress: null });
	try {
		const job = await followJob(await ask(), end, (now) =>
			updateToast(id, { tone: "plain", text: text.running(name), progress: shareDone(now) }),
		);
		if (job.state === "failed") {
			const reason = job.error || strings.jobs.unknownFailure;
			return updateToast(id, { tone: "bad", text: text.failed(name, reason), lasts: undoable });
		}
		const address = resultAddress(job);
		download(address);
		updateToast(id, {
			tone: "good",
			text: text.done(name),
			lasts: undoable,
			action: { label: text.download, run: () => download(address) },
		});
	} catch (error) {
		if (end.aborted) return;
		if (!(error instanceof RequestError)) throw error;
		updateToast(id, { tone: "bad", text: text.failed(name, explain(error)), lasts: undoable });
	}
}
