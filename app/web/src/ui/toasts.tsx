import { useEffect, useRef } from "preact/hooks";
import { closeToast, type Toast, toasts } from "../state/toasts.ts";
import { strings } from "../strings.ts";
import { IconButton } from "./button.tsx";
import { Icon } from "./icon.tsx";
import { Progress } from "./progress.tsx";

/** The corner in which toasts appear. The region is always there, so that screen readers announce what comes into it. */
export function Toasts() {
	const shown = toasts.value;
	return (
		<section class="toasts" aria-label={strings.toasts.region} aria-live="polite">
			{shown.map((one) => (
				<ToastCard key={one.id} toast={one} />
			))}
		</section>
	);
}

function ToastCard({ toast }: { toast: Toast }) {
	const card = useRef<HTMLDivElement>(null);
	const { id, lasts } = toast;

	// The clock stands still while the pointer or the focus is on the card: nobody loses an undo by reading slowly.
	useEffect(() => {
		const element = card.current;
		if (lasts === undefined || !element) return;
		let left = lasts;
		let started = 0;
		let timer = 0;
		const pause = () => {
			if (timer === 0) return;
			clearTimeout(timer);
			timer = 0;
			left -= performance.now() - started;
		};
		const go = () => {
			if (timer !== 0 || element.matches(":hover, :focus-within")) return;
			started = performance.now();
			timer = window.setTimeout(() => closeToast(id), Math.max(left, 1_500));
		};
		const goLater = () => queueMicrotask(go);
		go();
		element.addEventListener("pointerenter", pause);
		element.addEventListener("focusin", pause);
		element.addEventListener("pointerleave", goLater);
		element.addEventListener("focusout", goLater);
		return () => {
			clearTimeout(timer);
			element.removeEventListener("pointerenter", pause);
			element.removeEventListener("focusin", pause);
			element.removeEventListener("pointerleave", goLater);
			element.removeEventListener("focusout", goLater);
		};
	}, [id, lasts]);

	return (
		<div ref={card} class={`toast toast-${toast.tone}`}>
			{toast.tone !== "plain" && <Icon name={toast.tone === "good" ? "check" : "alert"} />}
			<div class="toast-body">
				<p>{toast.text}</p>
				{toast.progress !== undefined && <Progress share={toast.progress} label={strings.toasts.progress} />}
			</div>
			{toast.action && (
				<button
					type="button"
					class="toast-action"
					onClick={() => {
						toast.action?.run();
						closeToast(id);
					}}
				>
					{toast.action.label}
				</button>
			)}
			<IconButton icon="close" label={strings.toasts.close} onClick={() => closeToast(id)} />
		</div>
	);
}
