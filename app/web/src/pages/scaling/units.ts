import type { ScalingTrigger } from "../../api/types.ts";
import { bytes, measured, milliseconds } from "../../format.ts";

/** A figure in its unit, as people read it. */
export function inUnit(value: number, unit: ScalingTrigger["unit"]): string {
	switch (unit) {
		case "seconds":
			return milliseconds(value * 1_000);
		case "percent":
			return `${measured(value)}%`;
		case "per_second":
			return `${measured(value)}/s`;
		case "bytes":
			return bytes(value);
		default:
			return measured(value);
	}
}
