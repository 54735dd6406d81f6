import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface CardProps {
	title: string;
	lead?: string;
	/** An address within the page. */
	id?: string;
	children: ComponentChildren;
}

export function Card({ title, lead, id, children }: CardProps) {
	const heading = useId();
	return (
		<section class="card" id={id} aria-labelledby={heading}>
			<header class="card-head">
				<h2 id={heading}>{title}</h2>
				{lead && <p class="hint">{lead}</p>}
			</header>
			{children}
		</section>
	);
}
