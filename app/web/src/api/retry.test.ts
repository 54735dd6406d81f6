import { describe, expect, test } from "vitest";
import {
	type Answer,
	busyAttempts,
	isRepeatable,
	networkWaits,
	persist,
	retryAfter,
	type Surroundings,
} from "./retry.ts";

const now = Date.UTC(2026, 0, 1);

function answer(status: number, headers: Record<string, string> = {}): Answer {
	return { status, headers: { get: (name) => headers[name] ?? null } };
}

/** Surroundings that note what happens, and a service that answers from a list; a string is a failure to reach it. */
function scene(answers: (Answer | string)[], signsIn = true) {
	const seen = { sent: 0, waits: [] as number[], asked: 0, busy: [] as (number | null)[], reached: [] as boolean[] };
	const surroundings: Surroundings = {
		wait: async (milliseconds) => {
			seen.waits.push(milliseconds);
		},
		signInAgain: async () => {
			seen.asked++;
			return signsIn;
		},
		busy: (at) => seen.busy.push(at),
		reached: (yes) => seen.reached.push(yes),
		now: () => now,
	};
	const send = async () => {
		const next = answers[Math.min(seen.sent++, answers.length - 1)];
		if (typeof next === "string" || next === undefined) throw new TypeError(next);
		return next;
	};
	return { seen, send, surroundings };
}

const repeatable = { repeatable: true, needsSession: true };
const once = { repeatable: false, needsSession: true };

describe("persist", () => {
	test("gives an ordinary answer back at once", async () => {
		const { seen, send, surroundings } = scene([answer(404)]);
		expect((await persist(send, repeatable, surroundings)).status).toBe(404);
		expect(seen).toMatchObject({ sent: 1, waits: [], asked: 0 });
	});

	test("waits as long as an overloaded service asks, and tells when it will try", async () => {
		const { seen, send, surroundings } = scene([answer(503, { "Retry-After": "2" }), answer(200)]);
		expect((await persist(send, repeatable, surroundings)).status).toBe(200);
		expect(seen.waits).toEqual([2_000]);
		expect(seen.busy).toEqual([now + 2_000, null]);
	});

	test("gives up on a service that stays overloaded", async () => {
		const { seen, send, surroundings } = scene([answer(503)]);
		expect((await persist(send, repeatable, surroundings)).status).toBe(503);
		expect(seen.sent).toBe(busyAttempts);
		expect(seen.busy.at(-1)).toBeNull();
	});

	test("does not sit out a wait that no person would", async () => {
		const { seen, send, surroundings } = scene([answer(503, { "Retry-After": "120" })]);
		await persist(send, repeatable, surroundings);
		expect(seen).toMatchObject({ sent: 1, waits: [] });
	});

	test("repeats a create without a key after 503, which did no work, but not after 504, which may have", async () => {
		const refused = scene([answer(503), answer(201)]);
		expect((await persist(refused.send, once, refused.surroundings)).status).toBe(201);
		const late = scene([answer(504), answer(201)]);
		expect((await persist(late.send, once, late.surroundings)).status).toBe(504);
		const keyed = scene([answer(504), answer(201)]);
		expect((await persist(keyed.send, repeatable, keyed.surroundings)).status).toBe(201);
	});

	test("waits for an earlier try of the same create, and calls that no overload", async () => {
		const first = scene([answer(409, { "Retry-After": "1" }), answer(201)]);
		expect((await persist(first.send, repeatable, first.surroundings)).status).toBe(201);
		expect(first.seen.waits).toEqual([1_000]);
		expect(first.seen.busy.every((at) => at === null)).toBe(true);
		const long = scene([answer(409, { "Retry-After": "1" })]);
		expect((await persist(long.send, repeatable, long.surroundings)).status).toBe(409);
		expect(long.seen.sent).toBe(busyAttempts);
		const taken = scene([answer(409), answer(201)]);
		expect((await persist(taken.send, repeatable, taken.surroundings)).status).toBe(409);
		const unkeyed = scene([answer(409, { "Retry-After": "1" }), answer(201)]);
		expect((await persist(unkeyed.send, once, unkeyed.surroundings)).status).toBe(409);
	});

	test("tries again when the service cannot be reached, if that is safe", async () => {
		const dropped = scene(["dropped", "dropped", answer(200)]);
		expect((await persist(dropped.send, repeatable, dropped.surroundings)).status).toBe(200);
		expect(dropped.seen.waits).toEqual(networkWaits.slice(0, 2));
		expect(dropped.seen.reached).toEqual([false, false, true]);
		const unsafe = scene(["dropped", answer(200)]);
		await expect(persist(unsafe.send, once, unsafe.surroundings)).rejects.toThrow("dropped");
		expect(unsafe.seen.sent).toBe(1);
	});

	test("gives up on a service that stays out of reach", async () => {
		const { seen, send, surroundings } = scene(["gone"]);
		await expect(persist(send, repeatable, surroundings)).rejects.toThrow("gone");
		expect(seen.sent).toBe(networkWaits.length + 1);
	});

	test("asks to sign in again, then sends the same once more", async () => {
		const { seen, send, surroundings } = scene([answer(401), answer(200)]);
		expect((await persist(send, once, surroundings)).status).toBe(200);
		expect(seen).toMatchObject({ sent: 2, asked: 1 });
	});

	test("asks once only, and not for requests that sign in", async () => {
		const stubborn = scene([answer(401)]);
		expect((await persist(stubborn.send, once, stubborn.surroundings)).status).toBe(401);
		expect(stubborn.seen).toMatchObject({ sent: 2, asked: 1 });
		const signIn = scene([answer(401)]);
		await persist(signIn.send, { repeatable: false, needsSession: false }, signIn.surroundings);
		expect(signIn.seen).toMatchObject({ sent: 1, asked: 0 });
		const leaving = scene([answer(401)], false);
		await persist(leaving.send, once, leaving.surroundings);
		expect(leaving.seen).toMatchObject({ sent: 1, asked: 1 });
	});

	test("says no more that it waits when what was waited for is not wanted any more", async () => {
		const { seen, send, surroundings } = scene([answer(503)]);
		surroundings.wait = () => Promise.reject(new Error("left the page"));
		await expect(persist(send, repeatable, surroundings)).rejects.toThrow("left the page");
		expect(seen.busy).toEqual([now + 1_000, null]);
	});

	test("an aborted request is neither repeated nor taken for a lost connection", async () => {
		const aborter = new AbortController();
		aborter.abort(new Error("left the page"));
		const { seen, send, surroundings } = scene(["aborted"]);
		await expect(persist(send, { ...repeatable, signal: aborter.signal }, surroundings)).rejects.toThrow("aborted");
		expect(seen).toMatchObject({ sent: 1, reached: [] });
	});
});

test.each([
	["3", 3_000],
	["0", 0],
	[" 1 ", 1_000],
	[new Date(now + 5_000).toUTCString(), 5_000],
	[new Date(now - 5_000).toUTCString(), 0],
	["soon", undefined],
	["", undefined],
	[null, undefined],
])("Retry-After %s is %s ms", (header, expected) => {
	expect(retryAfter(header, now)).toBe(expected);
});

test.each([
	["GET", {}, true],
	["DELETE", {}, true],
	["PUT", {}, true],
	["PATCH", {}, false],
	["PATCH", { "If-Match": '"3"' }, true],
	["POST", {}, false],
	["POST", { "Idempotency-Key": "k" }, true],
])("%s with %o is repeatable: %s", (method, headers, expected) => {
	expect(isRepeatable(method, new Headers(headers as Record<string, string>))).toBe(expected);
});
