import type { PlannedTier } from "../../api/types.ts";
import { count } from "../../format.ts";
import { strings } from "../../strings.ts";

const text = strings.scaling;

interface LadderProps {
	tiers: readonly PlannedTier[];
	current: string;
	next: string | undefined;
}

/** All tiers of the plan as rising steps, and where the panel stands. */
export function Ladder({ tiers, current, next }: LadderProps) {
	return (
		<ol class="ladder" aria-label={text.ladder}>
			{tiers.map(({ tier, title, users }, index) => (
				<li
					key={tier}
					class={`ladder-step${tier === current ? " ladder-current" : tier === next ? " ladder-next" : ""}`}
					aria-current={tier === current ? "step" : undefined}
				>
					<span class="ladder-bar" style={{ height: `${10 + index * 11}px` }} />
					<span class="ladder-title">{title}</span>
					<span class="ladder-users">
						{users.to === 0
							? text.usersFrom(count(users.from))
							: users.from === 0
								? text.usersUpTo(count(users.to))
								: text.users(count(users.from), count(users.to))}
					</span>
					{tier === current && <span class="ladder-here">{text.current}</span>}
				</li>
			))}
		</ol>
	);
}
