import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

/** A part of a page with a title on the left, and what it is about on the right. */
export function Section({
	title,
	lead,
	children,
}: {
	title: string;
	lead?: ComponentChildren;
	children: ComponentChildren;
}) {
	const id = useId();
	return (
		<section class="section" aria-labelledby={id}>
			<div class="section-head">
				<h2 id={id}>{title}</h2>
				{lead && <p class="hint">{lead}</p>}
			</div>
			<div class="section-body">{children}</div>
		</section>
	);
}
