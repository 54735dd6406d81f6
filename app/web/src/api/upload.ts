import { refusal } from "./client.ts";
import { RequestError } from "./problem.ts";
import { type Answer, persist } from "./retry.ts";
import { surroundings } from "./surroundings.ts";

interface UploadTerms {
	contentType: string;
	idempotencyKey: string;
	signal: AbortSignal;
	/** Called with the share that is sent, from 0 to 1. */
	onProgress: (share: number) => void;
}

interface UploadAnswer extends Answer {
	body: unknown;
}

/**
 * Sends a file as the body of a POST. XMLHttpRequest does it because fetch cannot tell how far an upload is; retries and
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
		request.open("POST", path);
		request.setRequestHeader("Content-Type", terms.contentType);
		request.setRequestHeader("Idempotency-Key", terms.idempotencyKey);
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

function parsed(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}
