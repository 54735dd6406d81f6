import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { RequestError } from "../api/problem.ts";
import { Failed, LoadingRows } from "./states.tsx";

/** A page whose code comes when it is first shown, or earlier by preload(). */
export interface LazyPage {
	(): preact.JSX.Element;
	preload(): Promise<void>;
}

/** Makes a page of a module that is loaded on demand. A load that failed, such as off line, can be tried again. */
export function lazy(load: () => Promise<{ default: ComponentType }>): LazyPage {
	let Page: ComponentType | undefined;
	let loading: Promise<void> | undefined;
	const preload = () => {
		loading ??= load().then(
			(module) => {
				Page = module.default;
			},
			(error: unknown) => {
				loading = undefined;
				throw error;
			},
		);
		return loading;
	};

	function Lazy() {
		const [, redraw] = useState(0);
		const [error, setError] = useState<RequestError>();
		const [round, setRound] = useState(0);
		// biome-ignore lint/correctness/useExhaustiveDependencies: a new round is another try.
		useEffect(() => {
			if (Page) return;
			let gone = false;
			preload().then(
				() => !gone && redraw((count) => count + 1),
				() => !gone && setError(new RequestError(0, { title: "No answer", status: 0 })),
			);
			return () => {
				gone = true;
			};
		}, [round]);
		if (Page) return <Page />;
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
	Lazy.preload = preload;
	return Lazy;
}
