import type { Job } from "../../api/types.ts";

/** A list of jobs from its beginning, newest first, and where it goes on. */
export interface JobPage {
	items: Job[];
	next: string | undefined;
}

/** The newest jobs as they were just read, followed by the older ones that are in sight already. */
export function continued(newest: JobPage, shown: JobPage): JobPage {
	const last = newest.items.at(-1)?.id;
	if (!newest.next) return newest;
	// Without a job in both there may be others between them: the rest is asked for again.
	const from = shown.items.findIndex((job) => job.id === last) + 1;
	const older = from > 0 ? shown.items.slice(from) : [];
	return older.length > 0 ? { items: [...newest.items, ...older], next: shown.next } : newest;
}
