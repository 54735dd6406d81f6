import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { strings } from "../strings.ts";

let pages = 0;

interface PageHeadProps {
	title: string;
	/** What stands above the title, such as the way back. */
	above?: ComponentChildren;
	below?: ComponentChildren;
	/** What can be done here. */
	children?: ComponentChildren;
}

/**
 * The head of a page. A page that was navigated to takes the focus with its heading, so that keyboards start at its top
 * and screen readers say where they are; the very first page leaves the focus to the browser.
 */
export function PageHead({ title, above, below, children }: PageHeadProps) {
	const heading = useRef<HTMLHeadingElement>(null);
	useLayoutEffect(() => {
		document.title = `${title} · ${strings.product}`;
	}, [title]);
	useLayoutEffect(() => {
		if (pages++ > 0) heading.current?.focus({ preventScroll: true });
	}, []);
	return (
		<header class="page-head">
			<div class="page-head-text">
				{above}
				<h1 ref={heading} tabIndex={-1}>
					{title}
				</h1>
				{below}
			</div>
			{children && <div class="page-head-actions">{children}</div>}
		</header>
	);
}
