import type { PlannedTier, Scaling } from "../../api/types.ts";
import { bytes, measured, percent } from "../../format.ts";
import { strings } from "../../strings.ts";
import { Card } from "../../ui/card.tsx";
import { Meter } from "../../ui/meter.tsx";
import { dimensions, shareOf } from "./verdict.ts";

const text = strings.scaling;

interface CapacityCardProps {
	use: Scaling["use"];
	/** Absent when the service was given no plan. */
	capacity?: PlannedTier["capacity"];
}

/** What the tier is built for, and how much of it is in use. */
export function CapacityCard({ use, capacity }: CapacityCardProps) {
	return (
		<Card title={text.capacity} lead={text.capacityLead}>
			<dl class="meters">
				{dimensions.map((name) => {
					const write = name === "storage_bytes" ? bytes : measured;
					const limit = capacity?.[name] ?? 0;
					return (
						<Dimension
							key={name}
							label={text.dimensions[name]}
							value={use[name]}
							limit={limit > 0 ? write(limit) : undefined}
							share={shareOf(use[name], limit)}
							write={write}
						/>
					);
				})}
				<Dimension
					label={text.cpu}
					value={use.cpu_percent}
					limit={undefined}
					share={shareOf(use.cpu_percent, 100)}
					write={(value) => `${measured(value)}%`}
				/>
			</dl>
		</Card>
	);
}

interface DimensionProps {
	label: string;
	value: number | null;
	limit: string | undefined;
	share: number | undefined;
	write: (value: number) => string;
}

function Dimension({ label, value, limit, share, write }: DimensionProps) {
	const shown = value === null ? text.notMeasured : write(value);
	// A share of the whole, such as that of the CPU, is said once.
	const said = limit === undefined && share !== undefined;
	const words = value === null || limit === undefined ? shown : text.of(shown, limit);
	return (
		<div class="dimension">
			<dt>{label}</dt>
			<dd>
				<span class={value === null ? "dimension-value nothing" : "dimension-value number"}>{!said && words}</span>
				{share !== undefined && <span class="dimension-share number">{percent(share)}</span>}
				<Meter label={label} share={share} value={words} />
			</dd>
		</div>
	);
}
