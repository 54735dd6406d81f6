import { describe, expect, test } from "vitest";
import type { Job } from "../../api/types.ts";
import { continued, type JobPage } from "./continued.ts";

/** A page with a job for each letter of ids; those in capitals are over. */
const page = (ids: string, next?: string): JobPage => ({
	items: [...ids].map(
		(id) => ({ id: id.toLowerCase(), state: id === id.toUpperCase() ? "succeeded" : "running" }) as Job,
	),
	next,
});

describe("jobs that are read again", () => {
	test("keep the older ones that are in sight, and where the list goes on", () => {
		expect(continued(page("DCB", "b"), page("dcbA", "a"))).toEqual(page("DCBA", "a"));
	});

	test("bring new ones in front", () => {
		expect(continued(page("fEDC", "c"), page("edcB", "b"))).toEqual(page("fEDCB", "b"));
	});

	test("are all there is when they reach as far as what is in sight, or further", () => {
		expect(continued(page("CBA"), page("cb", "b"))).toEqual(page("CBA"));
		expect(continued(page("cba", "a"), page("cba", "old"))).toEqual(page("cba", "a"));
		expect(continued(page(""), page("a"))).toEqual(page(""));
		expect(continued(page("cb"), page("cba", "old"))).toEqual(page("cb"));
	});

	test("start afresh when others may be between them and what is in sight", () => {
		expect(continued(page("zyx", "x"), page("cba"))).toEqual(page("zyx", "x"));
	});
});
