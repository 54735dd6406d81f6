import { describe, expect, test } from "vitest";
import type { Scaling, ScalingTrigger } from "../../api/types.ts";
import { inUnit } from "./units.ts";
import { stateOf, verdictOf } from "./verdict.ts";

function trigger(value: number | null, change: Partial<ScalingTrigger> = {}): ScalingTrigger {
	return {
		id: "t",
		words: "CPU usage >70%",
		metric: "host_cpu",
		unit: "percent",
		measured: value !== null,
		value,
		threshold: 70,
		for_seconds: 900,
		over_since: null,
		fired: false,
		reason: "",
		...change,
	};
}

function scaling(triggers: ScalingTrigger[], use: Partial<Scaling["use"]> = {}): Scaling {
	return {
		tier: "mvp",
		measured_at: "2026-01-01T00:00:00Z",
		uptime_seconds: 60,
		tiers: [],
		triggers,
		slo: {
			p95_seconds: null,
			page_load_seconds: null,
			page_loads: 0,
			uptime_percent: null,
			uptime_since: null,
		},
		use: {
			concurrent_users: null,
			requests_per_second: null,
			database_connections: null,
			storage_bytes: null,
			cpu_percent: null,
			...use,
		},
		current_tier: {
			tier: "mvp",
			title: "MVP",
			users: { from: 0, to: 100, target: 100 },
			capacity: { concurrent_users: 100, requests_per_second: 50, database_connections: 20, storage_bytes: 2e10 },
			slo: { p95_seconds: 0.5, page_load_seconds: 2, uptime_percent: 99 },
			cost: { low_usd: 0, high_usd: 0, added: false },
			actions: [],
			dev_ops: 0,
		},
	};
}

describe("a trigger", () => {
	test.each([
		[trigger(90, { fired: true }), "fired"],
		[trigger(90), "over"],
		[trigger(70), "near"],
		[trigger(56), "near"],
		[trigger(55), "under"],
		[trigger(0), "under"],
		[trigger(null), "unknown"],
		[trigger(null, { measured: true }), "under"],
	])("%# stands as %s", (one, state) => expect(stateOf(one)).toBe(state));
});

describe("the verdict", () => {
	test("is to stay while nothing is over, and names the closest trigger", () => {
		const verdict = verdictOf(scaling([trigger(7), trigger(35, { id: "closest" })]));
		expect(verdict.advice).toBe("stay");
		expect(verdict.closest?.trigger.id).toBe("closest");
		expect(verdict.closest?.share).toBe(0.5);
		expect(verdict.unmeasured).toHaveLength(0);
	});

	test("is to watch while something is over but has not fired", () => {
		expect(verdictOf(scaling([trigger(90)])).advice).toBe("watch");
	});

	test("is to watch when more is in use than the tier is built for", () => {
		const verdict = verdictOf(scaling([trigger(7)], { concurrent_users: 120 }));
		expect(verdict).toMatchObject({ advice: "watch", exceeded: ["concurrent_users"] });
	});

	test("is to act as soon as one trigger has fired", () => {
		expect(verdictOf(scaling([trigger(7), trigger(90, { fired: true })]))).toMatchObject({ advice: "act" });
	});

	test("does not take what nobody measures for good news", () => {
		expect(verdictOf(scaling([trigger(7), trigger(null, { id: "dark" })]))).toMatchObject({
			advice: "unsure",
			unmeasured: [{ id: "dark" }],
		});
		expect(verdictOf(scaling([trigger(90), trigger(null)])).advice).toBe("watch");
		expect(verdictOf(scaling([trigger(7), trigger(null, { measured: true })])).advice).toBe("stay");
		const verdict = verdictOf(scaling([trigger(null), trigger(null)]));
		expect(verdict.advice).toBe("unsure");
		expect(verdict.closest).toBeUndefined();
		expect(verdict.unmeasured).toHaveLength(2);
	});
});

test.each([
	[0.065, "seconds", "65 ms"],
	[70, "percent", "70%"],
	[1_000, "per_second", "1,000/s"],
	[15, "count", "15"],
	[53_687_091_200, "bytes", "50 GB"],
] as const)("%d in %s is %s", (value, unit, expected) => expect(inUnit(value, unit)).toBe(expected));
