import type { ScalingCurve, ScalingHistory } from "../../api/types.ts";

/** The figures of a curve, in words' terms. */
export interface Summary {
	least: number;
	most: number;
	last: number;
}

export function summaryOf(values: ScalingCurve["values"]): Summary | undefined {
	const measured = values.filter((value) => value !== null);
	const last = measured.at(-1);
	if (last === undefined) return undefined;
	// Not Math.max(...measured): there is no need to trust the service about how many there are.
	return {
		least: measured.reduce((a, b) => Math.min(a, b)),
		most: measured.reduce((a, b) => Math.max(a, b)),
		last,
	};
}

/** What the height of a chart stands for. */
export interface Scale {
	low: number;
	high: number;
}

/** A scale that begins at nothing, or, where that would flatten a curve that stays near its limit, under its lowest. */
export function scaleOf({ values, limit }: Pick<ScalingCurve, "values" | "limit">): Scale {
	const summary = summaryOf(values);
	const most = Math.max(limit, summary?.most ?? 0);
	const least = Math.min(limit, summary?.least ?? limit);
	const low = least > 0.8 * most && least < most ? most - (most - least) * 1.5 : 0;
	const room = (most - low) * 0.1;
	return { low: Math.max(0, low), high: most + room > low ? most + room : low + 1 };
}

const round = (value: number) => Math.round(value * 10) / 10;

/** How far from the top of a chart a value stands. */
export const heightOf = (value: number, { low, high }: Scale, height: number) =>
	round(height * (1 - (value - low) / (high - low)));

/** The line of the values as the path of an SVG, broken where nothing was measured. A lone value is a short dash. */
export function pathOf(values: ScalingCurve["values"], scale: Scale, width: number, height: number): string {
	const step = width / Math.max(1, values.length - 1);
	let path = "";
	values.forEach((value, index) => {
		if (value === null) return;
		const x = round(index * step);
		const y = heightOf(value, scale, height);
		const starts = index === 0 || values[index - 1] === null;
		path += `${starts ? "M" : "L"}${x} ${y}`;
		if (starts && (values[index + 1] ?? null) === null) path += `h${round(Math.max(1, step))}`;
	});
	return path;
}

export interface Row {
	since: string;
	summary: Summary | undefined;
}

/** The curve as a table of a dozen rows, each for a part of the time. */
export function rowsOf(curve: ScalingCurve, history: Pick<ScalingHistory, "since" | "step_seconds">): Row[] {
	const size = Math.max(1, Math.ceil(curve.values.length / 12));
	const rows: Row[] = [];
	for (let from = 0; from < curve.values.length; from += size) {
		rows.push({
			since: new Date(Date.parse(history.since) + from * history.step_seconds * 1_000).toISOString(),
			summary: summaryOf(curve.values.slice(from, from + size)),
		});
	}
	return rows;
}
