import createClient, { type FetchResponse } from "openapi-fetch";
import { problemOf, RequestError } from "./problem.ts";
import { isRepeatable, persist, retryAfter } from "./retry.ts";
import type { paths } from "./schema.d.ts";
import { surroundings } from "./surroundings.ts";

/** Where the service answers. */
export const root = "/api/v1";

/** Requests that ask for no session: they make one, end one, or ask whether there is one. */
const withoutSession = new Set([
	`POST ${root}/users`,
	`POST ${root}/sessions`,
	`GET ${root}/session`,
	`DELETE ${root}/session`,
]);

/** Answers to requests that must not be sent twice: whoever reads an answer does not see its request. */
const onceOnly = new WeakSet<Response>();

async function send(request: Request): Promise<Response> {
	const repeatable = isRepeatable(request.method, request.headers);
	const answer = await persist(
		// The request itself stays unused, so that it can be sent again with its body.
		() => fetch(request.clone()),
		{
			repeatable,
			needsSession: !withoutSession.has(`${request.method} ${new URL(request.url).pathname}`),
			signal: request.signal,
		},
		surroundings,
	);
	if (!repeatable) onceOnly.add(answer);
	return answer;
}

/** The service, typed by its OpenAPI document. Answers other than 2xx have to pass through {@link take}. */
export const service = createClient<paths>({ baseUrl: location.origin, credentials: "same-origin", fetch: send });

/** The body of an answer, or a RequestError that says why there is none. */
// biome-ignore lint/suspicious/noExplicitAny: the bounds of openapi-fetch's own type.
export async function take<T extends Record<string | number, any>, O, M extends `${string}/${string}`>(
	answer: Promise<FetchResponse<T, O, M>>,
): Promise<NonNullable<FetchResponse<T, O, M>["data"]>> {
	let got: FetchResponse<T, O, M>;
	try {
		got = await answer;
	} catch (error) {
		if (error instanceof DOMException && error.name === "AbortError") throw error;
		throw new RequestError(0, { title: "No answer", status: 0 });
	}
	if (got.response.ok) return got.data as NonNullable<FetchResponse<T, O, M>["data"]>;
	throw refusal(got.response.status, got.response.headers, got.error, !onceOnly.has(got.response));
}

/** The error for an answer that is not 2xx. */
export function refusal(
	status: number,
	headers: { get(name: string): string | null },
	body: unknown,
	repeatable = true,
): RequestError {
	const wait = retryAfter(headers.get("Retry-After"), Date.now());
	const seconds = wait === undefined ? undefined : Math.ceil(wait / 1_000);
	return new RequestError(status, problemOf(body, status), seconds, repeatable);
}

/** The value of If-Match for a version that was read. */
export function ifMatch(version: number): string {
	return `"${version}"`;
}
