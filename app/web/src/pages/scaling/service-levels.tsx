import type { PlannedTier, Scaling } from "../../api/types.ts";
import { availability, dateAndTime, milliseconds } from "../../format.ts";
import { strings } from "../../strings.ts";
import { Card } from "../../ui/card.tsx";

const text = strings.scaling;

interface ServiceLevelsProps {
	target: PlannedTier["slo"];
	measured: Scaling["slo"];
}

interface Level {
	name: string;
	target: string;
	measured: string | undefined;
	kept: boolean | undefined;
	note?: string | undefined;
}

/** What the tier promises its users, and what was measured of it. What nobody measures is said to be so. */
export function ServiceLevels({ target, measured }: ServiceLevelsProps) {
	const seconds = (value: number | null) => (value === null ? undefined : milliseconds(value * 1_000));
	const below = (value: number | null, limit: number) => (value === null ? undefined : value < limit);
	const levels: Level[] = [
		{
			name: text.objectives.p95,
			target: `< ${milliseconds(target.p95_seconds * 1_000)}`,
			measured: seconds(measured.p95_seconds),
			kept: below(measured.p95_seconds, target.p95_seconds),
		},
		{
			name: text.objectives.pageLoad,
			target: `< ${milliseconds(target.page_load_seconds * 1_000)}`,
			measured: seconds(measured.page_load_seconds),
			kept: below(measured.page_load_seconds, target.page_load_seconds),
			note: pageLoadNote(measured.page_loads),
		},
		{
			name: text.objectives.uptime,
			target: `${target.uptime_percent}%`,
			measured: measured.uptime_percent === null ? undefined : availability(measured.uptime_percent),
			kept: measured.uptime_percent === null ? undefined : measured.uptime_percent >= target.uptime_percent,
			note: measured.uptime_since === null ? undefined : text.since(dateAndTime(measured.uptime_since)),
		},
	];
	return (
		<Card title={text.slo} lead={text.sloLead}>
			<table class="table table-plain">
				<thead>
					<tr>
						<th scope="col">{text.objective}</th>
						<th scope="col">{text.target}</th>
						<th scope="col">{text.measured}</th>
						<th scope="col">{text.state}</th>
					</tr>
				</thead>
				<tbody>
					{levels.map((level) => (
						<tr key={level.name}>
							<th scope="row">
								{level.name}
								{level.note && <span class="cell-under">{level.note}</span>}
							</th>
							<td class="number">{level.target}</td>
							<td class="number">{level.measured ?? <span class="nothing">{text.notMeasured}</span>}</td>
							<td>
								{level.kept !== undefined && (
									<span class={`tag ${level.kept ? "tag-good" : "tag-bad"}`}>
										{level.kept ? text.kept : text.missed}
									</span>
								)}
							</td>
						</tr>
					))}
				</tbody>
			</table>
		</Card>
	);
}

function pageLoadNote(loads: number): string | undefined {
	const own = ownPageLoad();
	const all = loads > 0 ? text.fromLoads(loads) : undefined;
	const here = own === undefined ? undefined : text.thisPage(milliseconds(own));
	return [all, here].filter(Boolean).join("; ") || undefined;
}

/** How long this very page took to load here, in milliseconds: one person's figure, not the service's. */
function ownPageLoad(): number | undefined {
	const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
	return navigation && navigation.loadEventEnd > 0 ? navigation.loadEventEnd : undefined;
}
