import { type Signal, signal } from "@preact/signals";
import { RequestError } from "../../api/problem.ts";
import type { PanelRecord } from "../../api/types.ts";

/** One page of records, as the service gives it. */
export interface Page {
	items: readonly PanelRecord[];
	next: string | undefined;
	/** The exact number of records in the panel; known when nothing is filtered. */
	total: number | undefined;
}

/**
 * A list of records that is loaded page after page, by keyset, as far as it is looked at. It asks for one page at a time
 * and stops when nobody looks that far any more, so that a fast scroll through 100,000 records does not flood the service.
 */
export class RecordPages {
	/** Grows whenever the list or its state changed; reading it subscribes. */
	readonly revision: Signal<number> = signal(0);
	readonly records: PanelRecord[] = [];
	total: number | undefined;
	error: RequestError | undefined;
	loading = false;
	/** Every record is loaded. */
	complete = false;

	private cursor: string | undefined;
	private wanted = 0;
	private readonly aborter = new AbortController();

	constructor(private readonly fetchPage: (cursor: string | undefined, signal: AbortSignal) => Promise<Page>) {}

	/** Says how many records are looked at, and loads them if they are not there yet. */
	want(count: number): void {
		this.wanted = count;
		if (!this.loading && !this.error) void this.load();
	}

	/** Goes on after an error. */
	retry(): void {
		this.error = undefined;
		if (!this.loading) void this.load();
	}

	/** How many rows there are to show: all, as soon as their number is known. */
	get length(): number {
		if (this.complete) return this.records.length;
		return Math.max(this.total ?? 0, this.records.length + 1);
	}

	/** Puts a newer version of a record in its place. */
	replace(record: PanelRecord): void {
		const at = this.records.findIndex((one) => one.id === record.id);
		if (at < 0) return;
		this.records[at] = record;
		this.changed();
	}

	/** Puts a new record before all others. */
	prepend(record: PanelRecord): void {
		this.records.unshift(record);
		if (this.total !== undefined) this.total++;
		this.changed();
	}

	remove(ids: ReadonlySet<string>): void {
		const before = this.records.length;
		const kept = this.records.filter((record) => !ids.has(record.id));
		this.records.length = 0;
		for (const record of kept) this.records.push(record);
		if (this.total !== undefined) this.total -= before - kept.length;
		this.changed();
		this.want(this.wanted);
	}

	/** Ends what is under way; the list is not used any more. */
	dispose(): void {
		this.aborter.abort();
	}

	private async load(): Promise<void> {
		this.loading = true;
		this.changed();
		try {
			while (!this.complete && this.records.length < this.wanted) {
				const page = await this.fetchPage(this.cursor, this.aborter.signal);
				if (this.aborter.signal.aborted) return;
				for (const record of page.items) this.records.push(record);
				this.cursor = page.next;
				this.complete = page.next === undefined;
				this.total = this.complete ? this.records.length : (page.total ?? this.total);
				this.changed();
			}
		} catch (error) {
			if (this.aborter.signal.aborted) return;
			if (!(error instanceof RequestError)) throw error;
			this.error = error;
		} finally {
			this.loading = false;
			this.changed();
		}
	}

	private changed(): void {
		this.revision.value++;
	}
}
