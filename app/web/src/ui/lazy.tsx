import type { FunctionComponent, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { RequestError } from "../api/problem.ts";
import { probe, reconnections } from "../state/connection.ts";
import { tabStore } from "../state/storage.ts";
import { Failed, LoadingRows } from "./states.tsx";

/** A component whose code comes when it is first shown, or earlier by preload(). */
export interface Lazy<P> {
	(props: P): JSX.Element;
	preload(): Promise<void>;
}

/** Makes a component of a module that is loaded on demand. A load that failed, such as off line, can be tried again. */
export function lazy<P extends object>(load: () => Promise<{ default: FunctionComponent<P> }>): Lazy<P> {
	let Loaded: FunctionComponent<P> | undefined;
	let loading: Promise<void> | undefined;
	const preload = () => {
		loading ??= load().then(
			(module) => {
				Loaded = module.default;
			},
			(error: unknown) => {
				loading = undefined;
				throw error;
			},
		);
		return loading;
	};

	function OnDemand(props: P) {
		const [, redraw] = useState(0);
		const [error, setError] = useState<RequestError>();
		const [round, setRound] = useState(0);
		// biome-ignore lint/correctness/useExhaustiveDependencies: a new round is another try.
		useEffect(() => {
			if (Loaded) return;
			let gone = false;
			preload().then(
				() => {
					if (gone) return;
					setError(undefined);
					redraw((count) => count + 1);
				},
				async () => {
					if (gone) return;
					setError(new RequestError(0, { title: "No answer", status: 0 }));
					if ((await probe()) && !gone) loadPageAnew();
				},
			);
			return () => {
				gone = true;
			};
		}, [round]);
		useEffect(
			() =>
				reconnections.subscribe((count) => {
					if (count > 0) setRound((rounds) => rounds + 1);
				}),
			[],
		);
		if (Loaded) return <Loaded {...props} />;
		if (!error) return <LoadingRows />;
		return (
			<Failed
				error={error}
				retry={() => {
					setError(undefined);
					setRound((count) => count + 1);
				}}
			/>
		);
	}
	OnDemand.preload = preload;
	return OnDemand;
}

/** In milliseconds. */
const leastBetweenLoads = 30_000;

/**
 * A deployment replaces the hashed scripts: a page that was opened before it asks for one that is gone, and gets the new
 * ones by loading again. Not at once again, should the script be missing for another reason.
 */
function loadPageAnew(): void {
	const mark = "rad.reloaded";
	const now = Date.now();
	if (now - Number(tabStore.get(mark)) < leastBetweenLoads) return;
	tabStore.set(mark, String(now));
	// Where nothing can be kept, nothing would stop it from loading for ever.
	if (tabStore.get(mark) === String(now)) location.reload();
}
