import { useEffect, useState } from "preact/hooks";
import { busyUntil, offline } from "../state/connection.ts";
import { strings } from "../strings.ts";
import { Icon } from "./icon.tsx";

/** Says that the service is out of reach or overloaded. It lies over the page, so that nothing moves when it comes. */
export function ConnectionBanner() {
	const text = useText();
	return (
		<div class="banner-place" role="status">
			{text && (
				<p class="banner">
					<Icon name="alert" />
					{text}
				</p>
			)}
		</div>
	);
}

function useText(): string | null {
	const until = busyUntil.value;
	const [, tick] = useState(0);
	// biome-ignore lint/correctness/useExhaustiveDependencies: a signal's value, read while this renders.
	useEffect(() => {
		if (until === null) return;
		const timer = setInterval(() => tick((count) => count + 1), 1_000);
		return () => clearInterval(timer);
	}, [until]);
	if (offline.value) return strings.connection.offline;
	if (until === null) return null;
	const seconds = Math.ceil((until - Date.now()) / 1_000);
	return seconds > 0 ? strings.connection.busy(seconds) : strings.connection.busyNow;
}
