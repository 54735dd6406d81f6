/** One field's fault, as RFC 9457 problem details of the service list them. */
export interface FieldFault {
	location?: string;
	message?: string;
	value?: unknown;
}

/** Problem details (RFC 9457) as the service sends them. */
export interface Problem {
	type?: string;
	title?: string;
	status?: number;
	detail?: string;
	errors?: FieldFault[] | null;
}

/** What went wrong, in the kinds that pages treat differently. */
export type Fault =
	| "unreachable"
	| "busy"
	| "signed-out"
	| "totp-required"
	| "forbidden"
	| "not-found"
	| "conflict"
	| "stale"
	| "too-large"
	| "invalid"
	| "rate-limited"
	| "uncertain"
	| "failed";

/** A request that did not do what was asked. */
export class RequestError extends Error {
	readonly fault: Fault;
	/** The HTTP status; 0 when there was no answer. */
	readonly status: number;
	readonly problem: Problem;
	/** Seconds to wait before another try, when the service named them. */
	readonly retryAfter: number | undefined;

	/** repeatable: asking again is safe, whatever became of the request. */
	constructor(status: number, problem: Problem, retryAfter?: number, repeatable = true) {
		super(problem.detail ?? problem.title ?? `HTTP ${status}`);
		this.name = "RequestError";
		this.status = status;
		this.problem = problem;
		this.retryAfter = retryAfter;
		this.fault = faultOf(status, problem.type, repeatable);
	}

	/** The message for one field of the request's body, such as "name". */
	field(name: string): string | undefined {
		return this.problem.errors?.find((fault) => fault.location?.split(".").at(-1) === name)?.message;
	}
}

function faultOf(status: number, type: string | undefined, repeatable: boolean): Fault {
	if (status === 401 && type?.endsWith("/totp-required")) return "totp-required";
	switch (status) {
		case 0:
			return "unreachable";
		case 401:
			return "signed-out";
		case 403:
			return "forbidden";
		case 404:
			return "not-found";
		case 409:
			return "conflict";
		case 412:
		case 428:
			return "stale";
		case 413:
			return "too-large";
		case 400:
		case 415:
		case 422:
			return "invalid";
		case 429:
			return "rate-limited";
		case 503:
			return "busy";
		case 502:
		case 504:
			// The work may have been done all the same.
			return repeatable ? "busy" : "uncertain";
		default:
			return "failed";
	}
}

/** Reads problem details out of an answer's body, whatever a proxy may have put there instead. */
export function problemOf(body: unknown, status: number): Problem {
	if (typeof body === "object" && body !== null) return body as Problem;
	return { title: `HTTP ${status}`, status };
}
