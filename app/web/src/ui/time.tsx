import { ago, dateAndTime } from "../format.ts";

/** A moment, as people say it; the exact time is its tooltip. */
export function Time({ at }: { at: string }) {
	return (
		<time datetime={at} title={dateAndTime(at)}>
			{ago(at)}
		</time>
	);
}
