import type { PlannedTier, ScalingTrigger } from "../../api/types.ts";
import { duration, percent } from "../../format.ts";
import { strings } from "../../strings.ts";
import { Card } from "../../ui/card.tsx";
import { Meter } from "../../ui/meter.tsx";
import { inUnit } from "./units.ts";
import { shareOf, stateOf, type TriggerState } from "./verdict.ts";

const text = strings.scaling;

const tones: Record<TriggerState, string> = {
	fired: "tag-bad",
	over: "tag-signal",
	near: "tag-signal",
	under: "tag-good",
	unknown: "",
};

interface TriggersProps {
	triggers: readonly ScalingTrigger[];
	next: PlannedTier | undefined;
	/** When the figures were measured, in milliseconds since the epoch. */
	now: number;
}

/** Each reason to move on: its live value beside its threshold, and for how long it has been over. */
export function Triggers({ triggers, next, now }: TriggersProps) {
	if (!next) {
		return (
			<Card title={text.trigger}>
				<p>{text.noTriggers}</p>
			</Card>
		);
	}
	return (
		<Card title={text.triggers(next.title)} lead={text.triggersLead}>
			<ul class="triggers">
				{triggers.map((trigger) => (
					<Trigger key={trigger.id} trigger={trigger} now={now} />
				))}
			</ul>
		</Card>
	);
}

function Trigger({ trigger, now }: { trigger: ScalingTrigger; now: number }) {
	const state = stateOf(trigger);
	const value =
		trigger.value !== null
			? inUnit(trigger.value, trigger.unit)
			: trigger.measured
				? text.nothingToMeasure
				: text.notMeasured;
	const threshold = inUnit(trigger.threshold, trigger.unit);
	const share = shareOf(trigger.value, trigger.threshold);
	const over = trigger.over_since ? Math.max(0, (now - Date.parse(trigger.over_since)) / 1_000) : undefined;
	return (
		<li class="trigger">
			<div class="trigger-head">
				<h3>{trigger.words}</h3>
				<span class={`tag ${tones[state]}`}>{text.states[state]}</span>
			</div>
			<Meter label={trigger.words} share={share} value={text.of(value, threshold)} />
			<dl class="trigger-facts">
				<Fact name={text.value} value={share === undefined ? value : `${value} (${percent(share)})`} />
				<Fact name={text.threshold} value={threshold} />
				<Fact
					name={text.overFor}
					value={`${over === undefined ? text.neverOver : duration(over)}, ${(trigger.fired ? text.firedAfter : text.firesAfter)(duration(trigger.for_seconds))}`}
				/>
			</dl>
			{trigger.reason && <p class="hint">{trigger.reason}</p>}
		</li>
	);
}

function Fact({ name, value }: { name: string; value: string }) {
	return (
		<div>
			<dt>{name}</dt>
			<dd class="number">{value}</dd>
		</div>
	);
}
