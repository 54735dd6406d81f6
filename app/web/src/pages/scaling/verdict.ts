import type { Scaling, ScalingTrigger } from "../../api/types.ts";

/** How a trigger stands. Near: within a fifth of its threshold. */
export type TriggerState = "fired" | "over" | "near" | "under" | "unknown";

const nearShare = 0.8;

/** A value's share of its limit; undefined when it is not measured, or when there is no limit. */
export function shareOf(value: number | null | undefined, limit: number): number | undefined {
	return value === null || value === undefined || limit <= 0 ? undefined : value / limit;
}

export function stateOf(trigger: ScalingTrigger): TriggerState {
	if (trigger.fired) return "fired";
	if (!trigger.measured) return "unknown";
	if (trigger.value === null) return "under"; // There was nothing to measure, such as no request.
	if (trigger.value > trigger.threshold) return "over";
	return (shareOf(trigger.value, trigger.threshold) ?? 0) >= nearShare ? "near" : "under";
}

/** What a founder should do about the tier, and why. */
export interface Verdict {
	/**
	 * act: a trigger has fired. watch: something is over its limit, but not for long enough. unsure: nothing is, but of
	 * some triggers nothing is known. stay: all is well.
	 */
	advice: "act" | "watch" | "unsure" | "stay";
	fired: ScalingTrigger[];
	over: ScalingTrigger[];
	/** What is in use beyond what the tier is built for, by the names of its capacity. */
	exceeded: (keyof Capacity)[];
	/** The measured trigger that is closest to its threshold, and its share of it. */
	closest: { trigger: ScalingTrigger; share: number } | undefined;
	unmeasured: ScalingTrigger[];
}

type Capacity = NonNullable<Scaling["current_tier"]>["capacity"];

/** The tier's four dimensions, in the order of the plan. */
export const dimensions = [
	"concurrent_users",
	"requests_per_second",
	"database_connections",
	"storage_bytes",
] as const satisfies (keyof Capacity)[];

export function verdictOf(scaling: Scaling): Verdict {
	const by = (state: TriggerState) => scaling.triggers.filter((trigger) => stateOf(trigger) === state);
	const fired = by("fired");
	const over = by("over");
	const unmeasured = by("unknown");
	const capacity = scaling.current_tier?.capacity;
	const exceeded = dimensions.filter((name) => capacity && (shareOf(scaling.use[name], capacity[name]) ?? 0) > 1);
	const shares = scaling.triggers.flatMap((trigger) => {
		const share = shareOf(trigger.value, trigger.threshold);
		return share === undefined ? [] : [{ trigger, share }];
	});
	return {
		advice:
			fired.length > 0
				? "act"
				: over.length > 0 || exceeded.length > 0
					? "watch"
					: unmeasured.length > 0
						? "unsure"
						: "stay",
		fired,
		over,
		exceeded,
		closest: shares.sort((a, b) => b.share - a.share)[0],
		unmeasured,
	};
}
