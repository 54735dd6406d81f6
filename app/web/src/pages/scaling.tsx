import { useEffect, useRef } from "preact/hooks";
import { service, take } from "../api/client.ts";
import type { Scaling } from "../api/types.ts";
import { useResource } from "../state/resource.ts";
import { note } from "../state/scaling-alert.ts";
import { strings } from "../strings.ts";
import { Button } from "../ui/button.tsx";
import { PageHead } from "../ui/page.tsx";
import { AdminTabs } from "../ui/shell.tsx";
import { Empty, Failed, LoadingRows } from "../ui/states.tsx";
import { Time } from "../ui/time.tsx";
import { CapacityCard } from "./scaling/capacity.tsx";
import { HistoryCard } from "./scaling/history.tsx";
import { Ladder } from "./scaling/ladder.tsx";
import { CostCard, NextTierCard, ReviewCard } from "./scaling/next.tsx";
import { ServiceLevels } from "./scaling/service-levels.tsx";
import { Triggers } from "./scaling/triggers.tsx";
import { verdictOf } from "./scaling/verdict.ts";
import { VerdictCard } from "./scaling/verdict-card.tsx";

const text = strings.scaling;

/** How often the figures are asked for while somebody looks, in milliseconds. */
const pause = 10_000;

/** The plan beside the live figures: whether to act, and why. */
export default function ScalingPage() {
	const scaling = useResource("admin/scaling", (signal) => take(service.GET("/api/v1/admin/scaling", { signal })));
	const reload = useRef(scaling.reload);
	reload.current = scaling.reload;
	useEffect(() => {
		const timer = setInterval(() => document.visibilityState === "visible" && reload.current(), pause);
		return () => clearInterval(timer);
	}, []);
	const { data, error } = scaling;
	useEffect(() => {
		if (data) note(data);
	}, [data]);
	return (
		<div class="page">
			<PageHead title={text.title}>
				{data && (
					<p class="hint as-of">
						{text.asOf} <Time at={data.measured_at} />
					</p>
				)}
				<Button icon="retry" onClick={scaling.reload}>
					{text.refresh}
				</Button>
			</PageHead>
			<AdminTabs />
			{error && !data ? (
				<Failed error={error} retry={scaling.reload} />
			) : data ? (
				<Report scaling={data} />
			) : (
				<LoadingRows rows={7} />
			)}
		</div>
	);
}

function Report({ scaling }: { scaling: Scaling }) {
	const { current_tier: current, next_tier: next } = scaling;
	if (!current) {
		return (
			<>
				<Empty icon="scale" title={text.unavailableTitle} text={text.unavailableText} />
				<CapacityCard use={scaling.use} />
			</>
		);
	}
	return (
		<>
			<VerdictCard verdict={verdictOf(scaling)} triggers={scaling.triggers.length} current={current} next={next} />
			<Ladder tiers={scaling.tiers} current={current.tier} next={next?.tier} />
			<div class="scaling-columns">
				<div class="scaling-column">
					<CapacityCard use={scaling.use} capacity={current.capacity} />
					<Triggers triggers={scaling.triggers} next={next} now={Date.parse(scaling.measured_at)} />
					<ServiceLevels target={current.slo} measured={scaling.slo} />
					<HistoryCard triggers={scaling.triggers} />
				</div>
				<div class="scaling-column">
					<CostCard tier={current} />
					<ReviewCard review={scaling.next_review} />
					{next && <NextTierCard current={current} next={next} />}
				</div>
			</div>
		</>
	);
}
