import { expect, test } from "vitest";
import { pageLoadOf } from "./page-load.ts";

const fetched = { transferSize: 12_000, encodedBodySize: 11_800 };
const cached = { transferSize: 0, encodedBodySize: 11_800 };

test("a load is cold when every script was transferred", () => {
	expect(pageLoadOf({ loadEventEnd: 412.4 }, [fetched, fetched])).toEqual({ load_ms: 412, cold: true });
	expect(pageLoadOf({ loadEventEnd: 412.4 }, [fetched, cached])).toEqual({ load_ms: 412, cold: false });
	expect(pageLoadOf({ loadEventEnd: 412.4 }, [])).toEqual({ load_ms: 412, cold: false });
});

test("a load that is not over, or took longer than anybody waits, is not reported", () => {
	expect(pageLoadOf(undefined, [fetched])).toBeUndefined();
	expect(pageLoadOf({ loadEventEnd: 0 }, [fetched])).toBeUndefined();
	expect(pageLoadOf({ loadEventEnd: 60_001 }, [fetched])).toBeUndefined();
});
