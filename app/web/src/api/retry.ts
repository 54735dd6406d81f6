/** What the policy needs to know of an answer; both fetch and XMLHttpRequest can give it. */
export interface Answer {
	readonly status: number;
	readonly headers: { get(name: string): string | null };
}

/** What the policy needs from its surroundings; a test brings its own. */
export interface Surroundings {
	/** Waits for so many milliseconds, or rejects when signal aborts. */
	wait(milliseconds: number, signal?: AbortSignal): Promise<void>;
	/** Asks the person to sign in again, over the page as it stands; false when they would rather not. */
	signInAgain(): Promise<boolean>;
	/** Tells that the service is overloaded and when it is asked again, or (null) that it answers. */
	busy(retryAt: number | null): void;
	/** Tells whether the service could be reached at all. */
	reached(yes: boolean): void;
	/** Milliseconds since the epoch. */
	now(): number;
}

/** How one request may be handled. */
export interface Terms {
	/** Sending it twice does what sending it once does: a read, a conditional update, a create with its key. */
	repeatable: boolean;
	/** An expired session is answered by signing in again. Not so for the requests that sign in. */
	needsSession: boolean;
	signal?: AbortSignal | undefined;
}

/** Waits after each failure to reach the service, in milliseconds: a dropped connection is often back at once. */
export const networkWaits = [300, 1_000, 3_000] as const;
/**
 * How often a service is asked that is overloaded or at work on the same create, and the longest wait that is sat out in
 * front of a person.
 */
export const busyAttempts = 4;
export const longestWait = 15_000;
/** The wait when an overloaded service or its proxy names none, in milliseconds. */
export const defaultWait = 1_000;

const overloaded = new Set([502, 503, 504]);

/**
 * Sends until there is an answer to show. A service that is unreachable, overloaded or still at work on an earlier try is
 * asked again where that is safe; an expired session is renewed by its owner and the request is then sent again, so that
 * nothing typed is lost.
 */
export async function persist<T extends Answer>(
	send: () => Promise<T>,
	terms: Terms,
	surroundings: Surroundings,
): Promise<T> {
	let failures = 0;
	let refusals = 0;
	let renewed = false;
	for (;;) {
		let answer: T;
		try {
			answer = await send();
		} catch (error) {
			if (terms.signal?.aborted) throw error;
			surroundings.reached(false);
			const wait = networkWaits[failures++];
			if (!terms.repeatable || wait === undefined) throw error;
			await surroundings.wait(wait, terms.signal);
			continue;
		}
		surroundings.reached(true);

		const named = retryAfter(answer.headers.get("Retry-After"), surroundings.now());
		const busy = overloaded.has(answer.status);
		// A conflict that will pass: an earlier try of the same create still runs.
		const running = answer.status === 409 && named !== undefined;
		if (busy || running) {
			const wait = named ?? defaultWait * 2 ** refusals;
			refusals++;
			// A 503 was refused before any work was done; 502 and 504 may have done it.
			const safe = terms.repeatable || answer.status === 503;
			if (!safe || refusals >= busyAttempts || wait > longestWait) {
				surroundings.busy(null);
				return answer;
			}
			surroundings.busy(busy ? surroundings.now() + wait : null);
			try {
				await surroundings.wait(wait, terms.signal);
			} catch (error) {
				surroundings.busy(null);
				throw error;
			}
			continue;
		}
		surroundings.busy(null);

		if (answer.status !== 401 || !terms.needsSession || renewed) return answer;
		renewed = await surroundings.signInAgain();
		if (!renewed) return answer;
	}
}

/** The wait that a Retry-After header asks for, in milliseconds: seconds or a date. Undefined when there is none. */
export function retryAfter(header: string | null, now: number): number | undefined {
	if (header === null || header.trim() === "") return undefined;
	const seconds = Number(header);
	if (Number.isFinite(seconds)) return Math.max(0, seconds * 1_000);
	const date = Date.parse(header);
	return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Whether a request may be sent again without doing its work twice. */
export function isRepeatable(method: string, headers: { has(name: string): boolean }): boolean {
	if (method === "POST") return headers.has("Idempotency-Key");
	if (method === "PATCH") return headers.has("If-Match");
	return true;
}
