import { root, service, take } from "../api/client.ts";
import { RequestError } from "../api/problem.ts";
import { surroundings } from "../api/surroundings.ts";
import type { Job } from "../api/types.ts";

/** Pauses between two looks at a job, in milliseconds: short jobs are seen to end soon, long ones asked for seldom. */
const firstPause = 300;
const longestPause = 3_000;

export const isOver = (job: Job) => job.state === "succeeded" || job.state === "failed";

/** The share of a job that is done, from 0 to 1; null while nobody knows how much there is. */
export function shareDone(job: Job): number | null {
	if (job.state === "succeeded") return 1;
	return job.progress_total > 0 ? Math.min(1, job.progress_done / job.progress_total) : null;
}

/** Where the result of a job that succeeded can be downloaded. */
export const resultAddress = (job: Job) => `${root}/jobs/${job.id}/result`;

/** Follows a job until it is over, or signal aborts. A service that cannot be reached for a while does not end it. */
export async function followJob(job: Job, signal: AbortSignal, onProgress: (job: Job) => void): Promise<Job> {
	let now = job;
	let pause = firstPause;
	signal.throwIfAborted();
	while (!isOver(now)) {
		onProgress(now);
		await surroundings.wait(pause, signal);
		pause = Math.min(pause * 1.4, longestPause);
		try {
			now = await take(service.GET("/api/v1/jobs/{job_id}", { params: { path: { job_id: job.id } }, signal }));
		} catch (error) {
			if (!(error instanceof RequestError) || (error.fault !== "unreachable" && error.fault !== "busy")) throw error;
		}
	}
	return now;
}

/** Starts a download, as a click on its link would. */
export function download(address: string): void {
	const link = document.createElement("a");
	link.href = address;
	link.download = "";
	document.body.append(link);
	link.click();
	link.remove();
}
