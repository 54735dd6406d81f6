import { ifMatch, root, service, take } from "../../api/client.ts";
import { newKey } from "../../api/idempotency.ts";
import { RequestError } from "../../api/problem.ts";
import type { Job, Panel } from "../../api/types.ts";
import { upload } from "../../api/upload.ts";
import { followJob, shareDone } from "../../state/jobs.ts";
import { shortly, toast, updateToast } from "../../state/toasts.ts";
import { explain, strings } from "../../strings.ts";

const text = strings.import;

/** The most columns that a panel shows. */
export const mostColumns = 50;

/** Uploads and imports, with the progress in a toast; the person may go on working, also elsewhere. */
export async function importCsv(panel: Panel, file: File, columns: string[], onImported: () => void): Promise<void> {
	const aborter = new AbortController();
	const id = toast({ tone: "plain", text: text.uploading(file.name), progress: 0 });
	try {
		const queued = await upload<Job>(`${root}/panels/${panel.id}/imports`, file, {
			contentType: "text/csv",
			idempotencyKey: newKey(),
			signal: aborter.signal,
			onProgress: (share) => updateToast(id, { tone: "plain", text: text.uploading(file.name), progress: share }),
		});
		const job = await followJob(queued, (now) =>
			updateToast(id, { tone: "plain", text: text.running(file.name), progress: shareDone(now) }),
		);
		if (job.state === "failed") {
			return updateToast(id, { tone: "bad", text: text.failed(job.error || strings.jobs.unknownFailure) });
		}
		if (columns.length > 0) await showColumns(panel.id, columns);
		updateToast(id, { tone: "good", text: text.done(job.result?.records ?? job.progress_done), lasts: shortly });
		onImported();
	} catch (error) {
		if (!(error instanceof RequestError)) throw error;
		updateToast(id, { tone: "bad", text: text.failed(explain(error)) });
	}
}

/** Adds columns to those that the panel shows by now. */
async function showColumns(panelID: string, columns: string[]): Promise<void> {
	const path = { panel_id: panelID };
	for (let tries = 0; ; tries++) {
		const panel = await take(service.GET("/api/v1/panels/{panel_id}", { params: { path } }));
		const all = [...new Set([...(panel.columns ?? []), ...columns])].slice(0, mostColumns);
		try {
			await take(
				service.PATCH("/api/v1/panels/{panel_id}", {
					params: { path, header: { "If-Match": ifMatch(panel.version) } },
					body: { columns: all },
				}),
			);
			return;
		} catch (error) {
			if (!(error instanceof RequestError) || error.fault !== "stale" || tries >= 3) throw error;
		}
	}
}
