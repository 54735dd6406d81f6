import { root } from "../../api/client.ts";
import { newKey } from "../../api/idempotency.ts";
import { RequestError } from "../../api/problem.ts";
import type { Job, Panel } from "../../api/types.ts";
import { upload } from "../../api/upload.ts";
import { followJob, shareDone } from "../../state/jobs.ts";
import { sessionEnd } from "../../state/session.ts";
import { shortly, toast, updateToast } from "../../state/toasts.ts";
import { explain, strings } from "../../strings.ts";

const text = strings.import;

/**
 * Uploads and imports, with the progress in a toast; the person may go on working, also elsewhere. The service itself adds
 * the columns that come to those that the panel shows.
 */
export async function importCsv(panel: Panel, file: File, onImported: () => void): Promise<void> {
	const end = sessionEnd();
	const id = toast({ tone: "plain", text: text.uploading(file.name), progress: 0 });
	try {
		const queued = await upload<Job>(`${root}/panels/${panel.id}/imports`, file, {
			headers: { "Content-Type": "text/csv", "Idempotency-Key": newKey() },
			signal: end,
			onProgress: (share) => updateToast(id, { tone: "plain", text: text.uploading(file.name), progress: share }),
		});
		const job = await followJob(queued, end, (now) =>
			updateToast(id, { tone: "plain", text: text.running(file.name), progress: shareDone(now) }),
		);
		if (job.state === "failed") {
			return updateToast(id, { tone: "bad", text: text.failed(job.error || strings.jobs.unknownFailure) });
		}
		updateToast(id, { tone: "good", text: text.done(job.result?.records ?? job.progress_done), lasts: shortly });
		onImported();
	} catch (error) {
		if (end.aborted) return;
		if (!(error instanceof RequestError)) throw error;
		updateToast(id, { tone: "bad", text: text.failed(explain(error)) });
	}
}
