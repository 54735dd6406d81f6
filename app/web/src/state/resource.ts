import { useEffect, useRef, useState } from "preact/hooks";
import { RequestError } from "../api/problem.ts";
import { reconnections } from "./connection.ts";
import { whenSignedOut } from "./session.ts";

/** What a view has to show: something, a reason why not, or neither yet. */
export interface Resource<T> {
	data: T | undefined;
	error: RequestError | undefined;
	loading: boolean;
	reload(): void;
	/** Replaces the data, after a change that was made here. It does nothing once the view shows another key, or is gone. */
	replace(data: T): void;
}

/** The last answer of each view, so that going back shows it at once while it is asked for again. */
const remembered = new Map<string, unknown>();
const mostRemembered = 40;
whenSignedOut(() => remembered.clear());

/** Loads what a view shows, and again when key changes, on reload(), and when the connection is back. */
export function useResource<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Resource<T> {
	const [, redraw] = useState(0);
	const [round, setRound] = useState(0);
	const state = useRef<{ key: string; data: T | undefined; error: RequestError | undefined; loading: boolean }>(null);
	if (state.current?.key !== key) {
		state.current = { key, data: remembered.get(key) as T | undefined, error: undefined, loading: true };
	}
	const latest = useRef(load);
	latest.current = load;

	// biome-ignore lint/correctness/useExhaustiveDependencies: a new round loads the same key again.
	useEffect(() => {
		const aborter = new AbortController();
		const current = state.current;
		if (!current) return;
		current.loading = true;
		current.error = undefined;
		redraw((count) => count + 1);
		latest.current(aborter.signal).then(
			(data) => {
				if (aborter.signal.aborted) return;
				current.data = data;
				current.loading = false;
				remember(key, data);
				redraw((count) => count + 1);
			},
			(error: unknown) => {
				if (aborter.signal.aborted) return;
				current.error = error instanceof RequestError ? error : new RequestError(0, { title: String(error) });
				current.loading = false;
				redraw((count) => count + 1);
			},
		);
		return () => aborter.abort();
	}, [key, round]);

	const seen = useRef(reconnections.value);
	useEffect(
		() =>
			reconnections.subscribe((count) => {
				if (count === seen.current) return;
				seen.current = count;
				if (state.current?.error) setRound((previous) => previous + 1);
			}),
		[],
	);
	useEffect(
		() => () => {
			state.current = null;
		},
		[],
	);

	const current = state.current;
	const { data, error, loading } = current;
	return {
		data,
		error,
		loading,
		reload: () => setRound((previous) => previous + 1),
		replace: (next) => {
			if (state.current !== current) return;
			current.data = next;
			remember(key, next);
			redraw((count) => count + 1);
		},
	};
}

function remember(key: string, data: unknown): void {
	remembered.delete(key);
	remembered.set(key, data);
	for (const oldest of remembered.keys()) {
		if (remembered.size <= mostRemembered) break;
		remembered.delete(oldest);
	}
}
