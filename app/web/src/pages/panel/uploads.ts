import { type Signal, signal } from "@preact/signals";
import { newKey } from "../../api/idempotency.ts";
import { RequestError } from "../../api/problem.ts";
import type { StoredFile } from "../../api/types.ts";
import type { Ticket } from "../../api/upload.ts";

/** A file on its way to the service. */
export interface Upload {
	id: string;
	file: File;
	state: "waiting" | "sending" | "failed";
	/** Share sent, from 0 to 1. */
	share: number;
	error: RequestError | undefined;
	ticket: Ticket;
	aborter: AbortController;
}

/** Sends one file; progress from 0 to 1. */
export type Sender = (upload: Upload, onProgress: (share: number) => void) => Promise<StoredFile>;

/** How many files are sent at once: the second fills the pauses of the first. */
const atOnce = 2;

/** Files on their way, in the order they were given. One that fails stays with its reason until it is tried again. */
export class Uploads {
	readonly list: Signal<readonly Upload[]> = signal([]);
	private readonly listeners = new Set<(file: StoredFile) => void>();

	constructor(private readonly sender: Sender) {}

	/** Calls listener for each file that is stored; gives back how to end that. */
	listen(listener: (file: StoredFile) => void): () => void {
		this.listeners.add(listener);
		return () => this.listeners.delete(listener);
	}

	add(files: readonly File[]): void {
		const added = files.map(
			(file): Upload => ({
				id: newKey(),
				file,
				state: "waiting",
				share: 0,
				error: undefined,
				ticket: { key: newKey() },
				aborter: new AbortController(),
			}),
		);
		this.list.value = [...this.list.value, ...added];
		this.next();
	}

	retry(id: string): void {
		this.update(id, { state: "waiting", share: 0, error: undefined });
		this.next();
	}

	/** Stops an upload, or takes a failed one off the list. */
	cancel(id: string): void {
		this.list.value.find((one) => one.id === id)?.aborter.abort();
		this.list.value = this.list.value.filter((one) => one.id !== id);
		this.next();
	}

	private next(): void {
		const sending = this.list.value.filter((one) => one.state === "sending").length;
		const waiting = this.list.value.filter((one) => one.state === "waiting");
		for (const upload of waiting.slice(0, Math.max(0, atOnce - sending))) void this.send(upload);
	}

	private async send(upload: Upload): Promise<void> {
		const { id } = upload;
		this.update(id, { state: "sending" });
		try {
			const file = await this.sender(upload, (share) => this.update(id, { share }));
			this.list.value = this.list.value.filter((one) => one.id !== id);
			for (const listener of this.listeners) listener(file);
		} catch (error) {
			if (upload.aborter.signal.aborted) return;
			if (!(error instanceof RequestError)) throw error;
			this.update(id, { state: "failed", error });
		} finally {
			this.next();
		}
	}

	private update(id: string, change: Partial<Upload>): void {
		this.list.value = this.list.value.map((one) => (one.id === id ? { ...one, ...change } : one));
	}
}
