import type { PlannedTier, Scaling } from "../../api/types.ts";
import { count } from "../../format.ts";
import { strings } from "../../strings.ts";
import { Card } from "../../ui/card.tsx";
import { Icon } from "../../ui/icon.tsx";

const text = strings.scaling;

function Money({ cost }: { cost: PlannedTier["cost"] }) {
	if (cost.high_usd === 0) return <p>{text.costBase}</p>;
	return (
		<p>
			<span class="figure number">{text.money(count(cost.low_usd), count(cost.high_usd), cost.added)}</span>{" "}
			<span class="hint">
				{text.perMonth}, {cost.added ? text.added : text.total}
			</span>
		</p>
	);
}

export function CostCard({ tier }: { tier: PlannedTier }) {
	return (
		<Card title={text.cost}>
			<Money cost={tier.cost} />
		</Card>
	);
}

export function ReviewCard({ review }: { review: Scaling["next_review"] }) {
	return (
		<Card title={text.review}>
			<p>{review?.words ?? text.noReview}</p>
		</Card>
	);
}

/** What the next tier brings and costs, and how to get there. */
export function NextTierCard({ current, next }: { current: PlannedTier; next: PlannedTier }) {
	return (
		<Card title={text.nextTier(next.title)} id="next-tier">
			<ul class="actions">
				{next.actions.map((action) => (
					<li key={action}>
						<Icon name="add" size={16} />
						{action}
					</li>
				))}
				{next.dev_ops > current.dev_ops && (
					<li>
						<Icon name="user" size={16} />
						{text.devOps(next.dev_ops - current.dev_ops)}
					</li>
				)}
			</ul>
			<Money cost={next.cost} />
			<div>
				<p class="hint">{text.commandLead}</p>
				<pre class="command">
					<code>{text.command(next.tier)}</code>
				</pre>
			</div>
		</Card>
	);
}
