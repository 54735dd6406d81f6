import type { ComponentChildren } from "preact";
import type { RequestError } from "../api/problem.ts";
import { explain, strings } from "../strings.ts";
import { Button } from "./button.tsx";
import { Icon, type IconName } from "./icon.tsx";

/** Grey bars where rows will be, as high as the rows, so that nothing moves when they come. */
export function LoadingRows({ rows = 5, label = strings.loading }: { rows?: number; label?: string }) {
	return (
		<div class="loading-rows" role="status" aria-label={label}>
			{Array.from({ length: rows }, (_, row) => row).map((row) => (
				<div class="loading-row" key={row} />
			))}
		</div>
	);
}

/** Nothing here yet, and the one thing to do about it. */
export function Empty(props: { icon: IconName; title: string; text: ComponentChildren; children?: ComponentChildren }) {
	return (
		<div class="empty">
			<span class="empty-icon">
				<Icon name={props.icon} size={26} />
			</span>
			<h2>{props.title}</h2>
			<p>{props.text}</p>
			{props.children}
		</div>
	);
}

/** Why a view could not be shown, and another try. */
export function Failed({ error, retry }: { error: RequestError; retry?: () => void }) {
	return (
		<div class="empty" role="alert">
			<span class="empty-icon empty-icon-bad">
				<Icon name="alert" size={26} />
			</span>
			<h2>{strings.failed.title}</h2>
			<p>{explain(error)}</p>
			{retry && error.fault !== "not-found" && error.fault !== "forbidden" && (
				<Button icon="retry" onClick={retry}>
					{strings.failed.retry}
				</Button>
			)}
		</div>
	);
}

/** Why a form was not accepted, at its top or beside its button. */
export function FormError({ error, children }: { error?: RequestError | undefined; children?: ComponentChildren }) {
	if (!error && !children) return null;
	return (
		<p class="form-error" role="alert">
			<Icon name="alert" />
			<span>{error ? explain(error) : children}</span>
		</p>
	);
}
