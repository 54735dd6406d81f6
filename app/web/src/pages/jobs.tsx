import { useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { service, take } from "../api/client.ts";
import { RequestError } from "../api/problem.ts";
import type { Job } from "../api/types.ts";
import { useResource } from "../state/resource.ts";
import { shortly, toast, undoable } from "../state/toasts.ts";
import { explain, strings } from "../strings.ts";
import { Button } from "../ui/button.tsx";
import { ChoiceField } from "../ui/choice-field.tsx";
import { JobTable, kindOf } from "../ui/job-table.tsx";
import { More } from "../ui/more.tsx";
import { PageHead } from "../ui/page.tsx";
import { AdminTabs } from "../ui/shell.tsx";
import { Empty, Failed, LoadingRows } from "../ui/states.tsx";

const text = strings.adminJobs;

type State = Job["state"];
const choices = { all: text.all, ...strings.jobs.states };

async function fetchPage(state: State | undefined, cursor?: string, signal?: AbortSignal) {
	const query = { limit: 50, ...(state && { state }), ...(cursor && { cursor }) };
	const page = await take(service.GET("/api/v1/admin/jobs", { params: { query }, signal: signal ?? null }));
	return { items: page.items as Job[], next: page.next_cursor };
}

/** Everybody's background jobs; those that failed can be run again. */
export default function Jobs() {
	const { query, route } = useLocation();
	const asked = query.state;
	const state = asked && asked in strings.jobs.states ? (asked as State) : undefined;
	const jobs = useResource(`admin/jobs?${state ?? ""}`, (signal) => fetchPage(state, undefined, signal));
	const { data, error } = jobs;
	return (
		<div class="page">
			<PageHead title={text.title} />
			<AdminTabs />
			<div class="toolbar">
				<ChoiceField
					label={text.filter}
					value={state ?? "all"}
					choices={choices}
					onChoose={(value) => route(value === "all" ? "/admin/jobs" : `/admin/jobs?state=${value}`, true)}
				/>
				<Button icon="retry" busy={jobs.loading} onClick={jobs.reload}>
					{strings.refresh}
				</Button>
			</div>
			{error && !data ? (
				<Failed error={error} retry={jobs.reload} />
			) : !data ? (
				<LoadingRows rows={5} />
			) : data.items.length === 0 ? (
				<Empty icon="jobs" title={text.emptyTitle} text={text.emptyText} />
			) : (
				<JobTable
					jobs={data.items}
					under={(job) => (
						<>
							{text.user} <code>{job.user_id}</code>
						</>
					)}
					actions={(job) => job.state === "failed" && <Retry job={job} onRetried={jobs.reload} />}
				/>
			)}
			{data?.next && (
				<More
					key={data.next}
					next={data.next}
					load={(cursor) => fetchPage(state, cursor)}
					page={data}
					add={jobs.replace}
				/>
			)}
		</div>
	);
}

function Retry({ job, onRetried }: { job: Job; onRetried: () => void }) {
	const [busy, setBusy] = useState(false);
	const retry = async () => {
		setBusy(true);
		try {
			await take(service.POST("/api/v1/admin/jobs/{job_id}/retry", { params: { path: { job_id: job.id } } }));
			toast({ tone: "good", text: text.retried, lasts: shortly });
			onRetried();
		} catch (error) {
			if (!(error instanceof RequestError)) throw error;
			toast({ tone: "bad", text: explain(error), lasts: undoable });
		} finally {
			setBusy(false);
		}
	};
	return (
		<Button icon="retry" busy={busy} aria-label={text.retryLabel(kindOf(job))} onClick={() => void retry()}>
			{text.retry}
		</Button>
	);
}
