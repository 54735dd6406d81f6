import type { ComponentChildren } from "preact";
import type { Job } from "../api/types.ts";
import { resultAddress, shareDone } from "../state/jobs.ts";
import { strings } from "../strings.ts";
import { Icon } from "./icon.tsx";
import { Progress } from "./progress.tsx";
import { Time } from "./time.tsx";

const text = strings.jobs;

const tones: Record<Job["state"], string> = {
	queued: "",
	running: "tag-signal",
	succeeded: "tag-good",
	failed: "tag-bad",
};

export const kindOf = (job: Job) => text.kinds[job.kind] ?? job.kind;

interface JobTableProps {
	jobs: readonly Job[];
	/** What else each row says under the kind. */
	under?: (job: Job) => ComponentChildren;
	/** What can be done with each job. */
	actions: (job: Job) => ComponentChildren;
}

/** Background jobs with their state and progress. */
export function JobTable({ jobs, under, actions }: JobTableProps) {
	return (
		<table class="table">
			<thead>
				<tr>
					<th scope="col">{strings.activity.kind}</th>
					<th scope="col">{strings.activity.state}</th>
					<th scope="col" class="cell-extra">
						{strings.activity.started}
					</th>
					<th scope="col">
						<span class="visually-hidden">{strings.activity.result}</span>
					</th>
				</tr>
			</thead>
			<tbody>
				{jobs.map((job) => (
					<tr key={job.id}>
						<th scope="row">
							{kindOf(job)}
							{under && <span class="cell-under">{under(job)}</span>}
							{job.error && <span class="cell-under cell-error">{job.error}</span>}
						</th>
						<td>
							<span class={`tag ${tones[job.state]}`}>{text.states[job.state]}</span>
							<JobProgress job={job} />
						</td>
						<td class="cell-extra cell-tight">
							<Time at={job.created_at} />
						</td>
						<td class="cell-actions">{actions(job)}</td>
					</tr>
				))}
			</tbody>
		</table>
	);
}

function JobProgress({ job }: { job: Job }) {
	if (job.state === "running") return <Progress share={shareDone(job)} label={text.progress(kindOf(job))} />;
	const rows = job.state === "succeeded" ? job.result?.records : undefined;
	const tried = job.attempt > 1 || job.state === "failed";
	if (rows === undefined && !tried) return null;
	return (
		<span class="cell-under">{rows === undefined ? text.attempt(job.attempt, job.max_attempts) : text.rows(rows)}</span>
	);
}

/** The result of an export that is done. */
export function ResultLink({ job }: { job: Job }) {
	if (job.state !== "succeeded" || !job.result?.file_name) return null;
	return (
		<a class="button button-quiet" href={resultAddress(job)} download={job.result.file_name}>
			<Icon name="download" />
			{text.download}
			<span class="visually-hidden"> {job.result.file_name}</span>
		</a>
	);
}
