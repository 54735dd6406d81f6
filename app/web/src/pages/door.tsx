import type { ComponentChildren } from "preact";
import { useLayoutEffect } from "preact/hooks";
import { strings } from "../strings.ts";
import { Logo } from "../ui/icon.tsx";
import { PageHead } from "../ui/page.tsx";
import { ThemeButton } from "../ui/shell.tsx";

/** The frame of the pages for those who are not signed in: a form, and what this is about. */
export function Door({ title, lead, children }: { title: string; lead: string; children: ComponentChildren }) {
	// Its colours reach to the window's edge: no room is kept for a scrollbar as on the pages inside.
	useLayoutEffect(() => {
		const { classList } = document.documentElement;
		classList.add("at-door");
		return () => classList.remove("at-door");
	}, []);
	return (
		<div class="door">
			<main class="door-main">
				<div class="door-top">
					<span class="brand">
						<Logo />
						<span>{strings.product}</span>
					</span>
					<ThemeButton />
				</div>
				<div class="door-form">
					<PageHead title={title} below={<p class="lead">{lead}</p>} />
					{children}
				</div>
			</main>
			<aside class="door-aside">
				<Steps />
				<p class="door-title">{strings.aside.title}</p>
				<p>{strings.aside.text}</p>
			</aside>
		</div>
	);
}

/** The plan's tiers as rising steps. */
function Steps() {
	const heights = [26, 52, 84, 124, 172];
	return (
		<svg class="steps" viewBox="0 0 400 230" aria-hidden="true">
			{heights.map((height, index) => (
				<g key={height}>
					<rect
						class={`steps-bar steps-bar-${index}`}
						x={8 + index * 78}
						y={196 - height}
						width="62"
						height={height}
						rx="7"
					/>
					<text class="steps-label" x={39 + index * 78} y="220" text-anchor="middle">
						{strings.aside.steps[index]}
					</text>
				</g>
			))}
		</svg>
	);
}
