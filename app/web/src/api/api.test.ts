import { describe, expect, test } from "vitest";
import { explain } from "../strings.ts";
import { digitsOf, parseExact } from "./exact.ts";
import { CreateKeys, newKey } from "./idempotency.ts";
import { problemOf, RequestError } from "./problem.ts";

describe("RequestError", () => {
	test.each([
		[0, undefined, "unreachable"],
		[401, "about:blank", "signed-out"],
		[401, "/problems/totp-required", "totp-required"],
		[403, undefined, "forbidden"],
		[412, "/problems/stale-version", "stale"],
		[413, undefined, "too-large"],
		[422, undefined, "invalid"],
		[429, undefined, "rate-limited"],
		[503, "/problems/busy", "busy"],
		[500, undefined, "failed"],
	])("%s %s is %s", (status, type, fault) => {
		expect(new RequestError(status, type === undefined ? {} : { type }).fault).toBe(fault);
	});

	test.each([502, 504])("%s leaves open what became of a request that must not be sent twice", (status) => {
		expect(new RequestError(status, {}).fault).toBe("busy");
		const open = new RequestError(status, {}, undefined, false);
		expect(open.fault).toBe("uncertain");
		expect(explain(open)).toContain("Look before you try again");
	});

	test("finds the message of a field, wherever the service says it is", () => {
		const error = new RequestError(422, { errors: [{ location: "body.email", message: "no address" }] });
		expect(error.field("email")).toBe("no address");
		expect(error.field("name")).toBeUndefined();
	});

	test("makes do with what a proxy answers", () => {
		expect(problemOf("<html>502</html>", 502)).toEqual({ title: "HTTP 502", status: 502 });
	});
});

describe("CreateKeys", () => {
	test("keep the key while the content is the same, and only then", () => {
		const keys = new CreateKeys();
		const first = keys.for({ name: "a" });
		expect(keys.for({ name: "a" })).toBe(first);
		expect(keys.for({ name: "b" })).not.toBe(first);
	});

	test("give another key to the same content after it was made", () => {
		const keys = new CreateKeys();
		const first = keys.for({ name: "a" });
		keys.done();
		expect(keys.for({ name: "a" })).not.toBe(first);
	});

	test("are 128 bits", () => expect(newKey()).toMatch(/^[0-9a-f]{32}$/));
});

describe("parseExact", () => {
	test("gives ordinary JSON as ever", () => {
		const text = '{"a":[1,2.5,-3,"4",true,null,{}]}';
		expect(parseExact(text)).toEqual(JSON.parse(text));
		expect(digitsOf(1)).toBeUndefined();
	});

	// Node.js 22 and browsers of 2025 have JSON.rawJSON; where it is missing, numbers are rounded as they always were.
	test.skipIf(!("rawJSON" in JSON))("keeps digits that a double cannot hold, there and back", () => {
		const text = '{"id":12345678901234567890,"price":1.10}';
		const read = parseExact(text) as { id: unknown; price: unknown };
		expect(digitsOf(read.id)).toBe("12345678901234567890");
		expect(JSON.stringify(read)).toBe(text);
	});
});
