import type { PlannedTier } from "../../api/types.ts";
import { percent } from "../../format.ts";
import { strings } from "../../strings.ts";
import { Icon } from "../../ui/icon.tsx";
import type { Verdict } from "./verdict.ts";

const text = strings.scaling;

interface VerdictCardProps {
	verdict: Verdict;
	/** How many triggers there are. */
	triggers: number;
	current: PlannedTier;
	next: PlannedTier | undefined;
}

/** Whether to act, in one line, and why in another. */
export function VerdictCard({ verdict, triggers, current, next }: VerdictCardProps) {
	const { advice } = verdict;
	return (
		<section class={`verdict verdict-${advice === "unsure" ? "watch" : advice}`} aria-labelledby="verdict">
			<span class="verdict-icon">
				<Icon name={advice === "stay" ? "check" : advice === "act" ? "scale" : "alert"} size={30} />
			</span>
			<div class="verdict-text">
				<h2 id="verdict">{text.advice[advice](current.title, next?.title)}</h2>
				<p>{reasons(verdict, triggers).join(" ")}</p>
			</div>
			{advice === "act" && next && (
				<a class="button button-primary" href="#next-tier">
					{text.next(next.title)}
				</a>
			)}
		</section>
	);
}

function reasons(verdict: Verdict, triggers: number): string[] {
	const { fired, over, exceeded, closest, unmeasured } = verdict;
	const words = (list: Verdict["fired"]) => list.map((trigger) => trigger.words);
	const said: string[] = [];
	if (fired.length > 0) said.push(text.fired(words(fired)));
	if (over.length > 0) said.push(text.over(words(over)));
	if (exceeded.length > 0) said.push(text.exceeded(exceeded.map((name) => text.dimensions[name].toLowerCase())));
	if (fired.length === 0 && unmeasured.length < triggers) said.push(text.noneFired);
	if (fired.length === 0 && over.length === 0 && closest) {
		said.push(text.closest(closest.trigger.words, percent(closest.share)));
	}
	if (unmeasured.length > 0) said.push(text.unmeasured(words(unmeasured)));
	if (triggers === 0) said.push(text.noTriggers);
	return said;
}
