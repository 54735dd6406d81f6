import { useEffect, useRef } from "preact/hooks";
import { service, take } from "../api/client.ts";
import type { Job } from "../api/types.ts";
import { isOver } from "../state/jobs.ts";
import { useResource } from "../state/resource.ts";
import { strings } from "../strings.ts";
import { JobTable, ResultLink } from "../ui/job-table.tsx";
import { More } from "../ui/more.tsx";
import { PageHead } from "../ui/page.tsx";
import { Empty, Failed, LoadingRows } from "../ui/states.tsx";
import { continued, type JobPage } from "./activity/continued.ts";

const text = strings.activity;

/** How often jobs that are not over are looked at, in milliseconds. */
const pause = 2_000;

/** How many jobs are asked for at once, and the most that the service gives. */
const pageSize = 50;
const mostAtOnce = 200;

async function fetchPage(cursor?: string, signal?: AbortSignal, limit = pageSize): Promise<JobPage> {
	const query = { limit, ...(cursor && { cursor }) };
	const page = await take(service.GET("/api/v1/jobs", { params: { query }, signal: signal ?? null }));
	return { items: page.items as Job[], next: page.next_cursor };
}

/** The person's own imports and exports, with their progress and results. */
export default function Activity() {
	const shown = useRef<JobPage | undefined>(undefined);
	const jobs = useResource("jobs", async (signal) => {
		const limit = Math.min(mostAtOnce, Math.max(pageSize, shown.current?.items.length ?? 0));
		const newest = await fetchPage(undefined, signal, limit);
		return shown.current ? continued(newest, shown.current) : newest;
	});
	const { data, error } = jobs;
	shown.current = data;
	const running = data?.items.some((job) => !isOver(job)) ?? false;
	const reload = useRef(jobs.reload);
	reload.current = jobs.reload;
	useEffect(() => {
		if (!running) return;
		const timer = setInterval(() => document.visibilityState === "visible" && reload.current(), pause);
		return () => clearInterval(timer);
	}, [running]);
	return (
		<div class="page">
			<PageHead title={text.title} below={<p class="lead">{text.lead}</p>} />
			{error && !data ? (
				<Failed error={error} retry={jobs.reload} />
			) : !data ? (
				<LoadingRows rows={4} />
			) : data.items.length === 0 ? (
				<Empty icon="jobs" title={text.emptyTitle} text={text.emptyText}>
					<a class="button" href="/panels">
						{strings.notFound.home}
					</a>
				</Empty>
			) : (
				<JobTable jobs={data.items} actions={(job) => <ResultLink job={job} />} />
			)}
			{data?.next && <More key={data.next} next={data.next} load={fetchPage} page={data} add={jobs.replace} />}
		</div>
	);
}
