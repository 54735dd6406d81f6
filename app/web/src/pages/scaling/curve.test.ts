import { describe, expect, test } from "vitest";
import { heightOf, pathOf, rowsOf, scaleOf, summaryOf } from "./curve.ts";

describe("a curve", () => {
	test("is summed up without what was not measured", () => {
		expect(summaryOf([null, 3, null, 9, 5, null])).toEqual({ least: 3, most: 9, last: 5 });
		expect(summaryOf([null, null])).toBeUndefined();
		expect(summaryOf([])).toBeUndefined();
	});

	test("is broken where nothing was measured", () => {
		const scale = { low: 0, high: 10 };
		expect(pathOf([0, 5, null, 10, 10], scale, 400, 100)).toBe("M0 100L100 50M300 0L400 0");
		expect(pathOf([null, 5, null], scale, 400, 100)).toBe("M200 50h200");
		expect(pathOf([5], scale, 400, 100)).toBe("M0 50h400");
		expect(pathOf([null], scale, 400, 100)).toBe("");
		expect(pathOf([], scale, 400, 100)).toBe("");
	});

	test("as a table has a dozen rows at most", () => {
		const values = Array.from({ length: 289 }, (_, index) => (index < 25 ? null : index));
		const rows = rowsOf(
			{ id: "cpu", unit: "percent", limit: 70, values },
			{ since: "2026-03-15T00:00:00Z", step_seconds: 300 },
		);
		expect(rows).toHaveLength(12);
		expect(rows[0]).toEqual({ since: "2026-03-15T00:00:00.000Z", summary: undefined });
		expect(rows[1]).toEqual({ since: "2026-03-15T02:05:00.000Z", summary: { least: 25, most: 49, last: 49 } });
		expect(rows[11]?.summary?.last).toBe(288);
	});
});

describe("the scale", () => {
	test.each([
		["begins at nothing", { values: [1, 2], limit: 70 }, 0, 77],
		["holds what is over the limit", { values: [100], limit: 70 }, 0, 110],
		["holds the limit when nothing was measured", { values: [null], limit: 70 }, 0, 77],
		["shows what little uptime lacks", { values: [99.4, 100], limit: 99 }, 98.5, 100.15],
		["of nothing at all is not empty", { values: [0], limit: 0 }, 0, 1],
	])("%s", (_, curve, low, high) => {
		const scale = scaleOf(curve);
		expect(scale.low).toBeCloseTo(low, 5);
		expect(scale.high).toBeCloseTo(high, 5);
		for (const value of [...curve.values, curve.limit]) {
			if (value === null) continue;
			const y = heightOf(value, scale, 100);
			expect(y).toBeGreaterThanOrEqual(0);
			expect(y).toBeLessThanOrEqual(100);
		}
	});
});
