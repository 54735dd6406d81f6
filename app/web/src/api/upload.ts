import { refusal, service, take } from "./client.ts";
import { RequestError } from "./problem.ts";
import { type Answer, persist } from "./retry.ts";
import { surroundings } from "./surroundings.ts";
import type { StoredFile } from "./types.ts";

interface UploadTerms {
	method?: "POST" | "PUT";
	headers: Record<string, string>;
	signal: AbortSignal;
	/** Called with the share that is sent, from 0 to 1. */
	onProgress: (share: number) => void;
}

interface UploadAnswer extends Answer {
	body: unknown;
}

/**
 * Sends a file as the body of a request. XMLHttpRequest does it because fetch cannot tell how far an upload is; retries and
 * expired sessions are handled as everywhere else.
 */
export async function upload<T>(path: string, file: Blob, terms: UploadTerms): Promise<T> {
	let answer: UploadAnswer;
	try {
		answer = await persist(
			() => post(path, file, terms),
			{ repeatable: true, needsSession: true, signal: terms.signal },
			surroundings,
		);
	} catch (error) {
		if (terms.signal.aborted) throw error;
		throw new RequestError(0, { title: "No answer", status: 0 });
	}
	if (answer.status >= 200 && answer.status < 300) return answer.body as T;
	throw refusal(answer.status, answer.headers, answer.body);
}

function post(path: string, file: Blob, terms: UploadTerms): Promise<UploadAnswer> {
	return new Promise((resolve, reject) => {
		const request = new XMLHttpRequest();
		const abort = () => request.abort();
		request.open(terms.method ?? "POST", path);
		for (const [name, value] of Object.entries(terms.headers)) request.setRequestHeader(name, value);
		request.upload.addEventListener("progress", (event) => {
			if (event.lengthComputable) terms.onProgress(event.total === 0 ? 1 : event.loaded / event.total);
		});
		request.addEventListener("load", () =>
			resolve({
				status: request.status,
				headers: { get: (name) => request.getResponseHeader(name) },
				body: parsed(request.responseText),
			}),
		);
		request.addEventListener("error", () => reject(new Error("the upload got no answer")));
		request.addEventListener("abort", () => reject(terms.signal.reason));
		request.addEventListener("loadend", () => terms.signal.removeEventListener("abort", abort));
		terms.signal.addEventListener("abort", abort);
		if (terms.signal.aborted) return reject(terms.signal.reason);
		request.send(file);
	});
}

/** One file's, for all tries: a file whose answer got lost is not stored twice. */
export interface Ticket {
	readonly key: string;
	/** The completion of bytes that the file store has got. */
	sent?: string;
}

/**
 * Stores a file in a panel: asks where its bytes go, sends them there, and tells the service when it was not the service
 * that took them. Every step can be repeated.
 */
export async function storeFile(
	panelID: string,
	file: File,
	terms: { ticket: Ticket; signal: AbortSignal; onProgress: (share: number) => void },
): Promise<StoredFile> {
	const { ticket, signal, onProgress } = terms;
	const params = { path: { panel_id: panelID } };
	const complete = async (completion: string) => {
		try {
			return await take(
				service.POST("/api/v1/panels/{panel_id}/uploads/completions", { params, body: { completion }, signal }),
			);
		} catch (error) {
			// The file store has not got the bytes, or no longer: another try sends them anew.
			if (error instanceof RequestError && error.fault === "conflict") delete ticket.sent;
			throw error;
		}
	};
	if (ticket.sent) return complete(ticket.sent);
	const target = await take(
		service.POST("/api/v1/panels/{panel_id}/uploads", {
			params,
			body: { name: file.name, size_bytes: file.size },
			signal,
		}),
	);
	const headers = target.completion ? target.headers : { ...target.headers, "Idempotency-Key": ticket.key };
	const stored = await upload<StoredFile>(target.url, file, { method: target.method, headers, signal, onProgress });
	if (!target.completion) return stored;
	ticket.sent = target.completion;
	return complete(target.completion);
}

function parsed(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}
