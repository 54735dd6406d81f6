import { useEffect, useRef, useState } from "preact/hooks";
import { service, take } from "../../api/client.ts";
import type { ScalingCurve, ScalingHistory, ScalingTrigger } from "../../api/types.ts";
import { dateAndTime } from "../../format.ts";
import { useResource } from "../../state/resource.ts";
import { strings } from "../../strings.ts";
import { Card } from "../../ui/card.tsx";
import { ChoiceField } from "../../ui/choice-field.tsx";
import { heightOf, pathOf, rowsOf, scaleOf, summaryOf } from "./curve.ts";
import { inUnit } from "./units.ts";

const text = strings.scaling;

type Span = keyof typeof text.historySpans;

/** How often the history is asked for while somebody looks, in milliseconds: its finest step is 15 seconds. */
const pause = 30_000;

/** How each trigger and each service level went, so that nobody needs another program to see it. */
export function HistoryCard({ triggers }: { triggers: readonly ScalingTrigger[] }) {
	const [span, setSpan] = useState<Span>("day");
	const { data, error, reload } = useResource(`admin/scaling/history/${span}`, (signal) =>
		take(service.GET("/api/v1/admin/scaling/history", { params: { query: { span } }, signal })),
	);
	const latest = useRef(reload);
	latest.current = reload;
	useEffect(() => {
		const timer = setInterval(() => document.visibilityState === "visible" && latest.current(), pause);
		return () => clearInterval(timer);
	}, []);
	const state = data?.state ?? (error ? "unreachable" : "available");
	return (
		<Card title={text.history} lead={text.historyLead}>
			{state !== "available" ? (
				<p class="history-none">{text.historyStates[state]}</p>
			) : (
				<>
					<ChoiceField label={text.historySpan} value={span} choices={text.historySpans} onChoose={setSpan} />
					<ul class="charts">
						{triggers.map(({ id, words }) => (
							<Chart
								key={id}
								name={words}
								kind="trigger"
								history={data}
								curve={data?.triggers.find((c) => c.id === id)}
							/>
						))}
						{levels.map(({ id, name }) => (
							<Chart key={id} name={name} kind="slo" history={data} curve={data?.slo.find((c) => c.id === id)} />
						))}
					</ul>
				</>
			)}
		</Card>
	);
}

const levels = [
	{ id: "slo-p95", name: text.objectives.p95 },
	{ id: "slo-page-load", name: text.objectives.pageLoad },
	{ id: "slo-uptime", name: text.objectives.uptime },
] as const;

/** The inner size of a chart. Browsers stretch it to the room that there is. */
const width = 600;
const height = 100;

interface ChartProps {
	name: string;
	kind: "trigger" | "slo";
	/** Absent while it is on its way: the room for it is kept. */
	history: ScalingHistory | undefined;
	curve: ScalingCurve | undefined;
}

function Chart({ name, kind, history, curve }: ChartProps) {
	const summary = curve && summaryOf(curve.values);
	const write = (value: number) => (curve ? inUnit(value, curve.unit) : "");
	const limit = curve && text.historyLimit[kind](write(curve.limit));
	const label =
		summary && limit
			? text.historySummary(name, write(summary.least), write(summary.most), write(summary.last), limit)
			: `${name}: ${text.historyNever}`;
	const scale = curve && scaleOf(curve);
	const top = Math.max(curve?.limit ?? 0, summary?.most ?? 0);
	return (
		<li class="chart">
			<div class="chart-head">
				<h3>{name}</h3>
				<span class="number hint">{limit}</span>
			</div>
			<div class="chart-frame">
				{curve && scale && (
					<svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label={label}>
						<title>{label}</title>
						<path class="chart-limit" d={`M0 ${heightOf(curve.limit, scale, height)}H${width}`} />
						<path class="chart-line" d={pathOf(curve.values, scale, width, height)} />
					</svg>
				)}
				{curve && scale && summary && (
					<>
						<span class="chart-mark chart-high number" style={{ top: `${heightOf(top, scale, 100)}%` }}>
							{write(top)}
						</span>
						<span class="chart-mark chart-low number">{write(scale.low)}</span>
					</>
				)}
				{curve && !summary && <span class="chart-mark chart-never">{text.historyNever}</span>}
			</div>
			<div class="chart-foot hint">
				<span>{history && dateAndTime(history.since)}</span>
				<span>{history && text.historyNow}</span>
			</div>
			{curve && history && (
				<details class="chart-table">
					<summary>{text.historyTable}</summary>
					<table class="table table-plain">
						<caption class="visually-hidden">{name}</caption>
						<thead>
							<tr>
								<th scope="col">{text.historyTime}</th>
								<th scope="col">{text.historyLeast}</th>
								<th scope="col">{text.historyMost}</th>
							</tr>
						</thead>
						<tbody>
							{rowsOf(curve, history).map((row) => (
								<tr key={row.since}>
									<th scope="row">{dateAndTime(row.since)}</th>
									<td class="number">{row.summary ? write(row.summary.least) : text.notMeasured}</td>
									<td class="number">{row.summary ? write(row.summary.most) : text.notMeasured}</td>
								</tr>
							))}
						</tbody>
					</table>
				</details>
			)}
		</li>
	);
}
