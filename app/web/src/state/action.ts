import { useRef, useState } from "preact/hooks";
import { RequestError } from "../api/problem.ts";

/** Something that a person asked for: whether it is under way, and why it failed. */
export interface Action<A extends unknown[]> {
	run: (...input: A) => Promise<void>;
	busy: boolean;
	error: RequestError | undefined;
	clear: () => void;
}

/** Runs work once at a time and keeps its RequestError for the form to show; any other error is a fault of this program. */
export function useAction<A extends unknown[]>(work: (...input: A) => Promise<void>): Action<A> {
	const [busy, setBusy] = useState(false);
	const [error, setError] = useState<RequestError>();
	const running = useRef(false);
	return {
		busy,
		error,
		clear: () => setError(undefined),
		run: async (...input) => {
			if (running.current) return;
			running.current = true;
			setBusy(true);
			setError(undefined);
			try {
				await work(...input);
			} catch (failure) {
				if (!(failure instanceof RequestError)) throw failure;
				setError(failure);
			} finally {
				running.current = false;
				setBusy(false);
			}
		},
	};
}

/** What a form does when it is sent: work, in place of the browser's own request. */
export function submits(work: () => unknown): (event: Event) => void {
	return (event) => {
		event.preventDefault();
		void work();
	};
}
