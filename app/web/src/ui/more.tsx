import { useEffect, useRef } from "preact/hooks";
import { useAction } from "../state/action.ts";
import { strings } from "../strings.ts";
import { Button } from "./button.tsx";
import { FormError } from "./states.tsx";

interface ListPage<T> {
	items: T[];
	next: string | undefined;
}

interface MoreProps<T> {
	next: string;
	page: ListPage<T>;
	load: (cursor: string) => Promise<ListPage<T>>;
	/** Takes the page with the following one at its end. */
	add: (page: ListPage<T>) => void;
}

/** The rest of a long list: it comes when its end is scrolled to, or by the button. */
export function More<T>({ next, page, load, add }: MoreProps<T>) {
	const place = useRef<HTMLDivElement>(null);
	const latest = useRef(page);
	latest.current = page;
	const more = useAction(async () => {
		const following = await load(next);
		// Without a place, the list has another end by now.
		if (place.current) add({ items: [...latest.current.items, ...following.items], next: following.next });
	});
	const run = useRef(more.run);
	run.current = more.run;
	useEffect(() => {
		const watcher = new IntersectionObserver((entries) => {
			if (entries.some((entry) => entry.isIntersecting)) void run.current();
		});
		if (place.current) watcher.observe(place.current);
		return () => watcher.disconnect();
	}, []);
	return (
		<div class="more" ref={place}>
			<FormError error={more.error} />
			<Button busy={more.busy} onClick={() => void more.run()}>
				{strings.loadMore}
			</Button>
		</div>
	);
}
