import type { ComponentChildren } from "preact";
import { useId, useState } from "preact/hooks";
import { strings } from "../strings.ts";

interface Common {
	label: string;
	hint?: ComponentChildren;
	error?: string | undefined;
	value: string;
	onValue: (value: string) => void;
}

interface InputProps extends Common {
	name?: string;
	type?: "text" | "email";
	autocomplete?: "off" | "username" | "name" | "one-time-code" | "current-password" | "new-password";
	autocapitalize?: "none";
	spellcheck?: boolean;
	inputMode?: "text" | "numeric";
	required?: boolean;
	readOnly?: boolean;
	minLength?: number;
	maxLength?: number;
}

/** A labelled input; its hint and its fault are read out with it. */
export function TextField({ label, hint, error, value, onValue, type = "text", ...rest }: InputProps) {
	const id = useId();
	return (
		<Frame id={id} label={label} hint={hint} error={error}>
			<input
				{...rest}
				// Preact types an input by its kind; any kind of text behaves the same here.
				type={type as "text"}
				id={id}
				class="input"
				value={value}
				onInput={(event) => onValue(event.currentTarget.value)}
				aria-invalid={error ? true : undefined}
				aria-describedby={describedBy(id, hint, error)}
			/>
		</Frame>
	);
}

interface AreaProps extends Common {
	name?: string;
	maxLength?: number;
	rows?: number;
	spellcheck?: boolean;
}

export function TextArea({ label, hint, error, value, onValue, ...rest }: AreaProps) {
	const id = useId();
	return (
		<Frame id={id} label={label} hint={hint} error={error}>
			<textarea
				rows={3}
				{...rest}
				id={id}
				class="input"
				value={value}
				onInput={(event) => onValue(event.currentTarget.value)}
				aria-invalid={error ? true : undefined}
				aria-describedby={describedBy(id, hint, error)}
			/>
		</Frame>
	);
}

/** A password, with a way to see what was typed. */
export function PasswordField({ label, hint, error, value, onValue, ...rest }: Omit<InputProps, "type">) {
	const id = useId();
	const [shown, setShown] = useState(false);
	return (
		<Frame id={id} label={label} hint={hint} error={error}>
			<span class="input-with-button">
				<input
					autocomplete="current-password"
					{...rest}
					type={(shown ? "text" : "password") as "text"}
					id={id}
					class="input"
					value={value}
					onInput={(event) => onValue(event.currentTarget.value)}
					autocapitalize="none"
					spellcheck={false}
					aria-invalid={error ? true : undefined}
					aria-describedby={describedBy(id, hint, error)}
				/>
				<button type="button" class="input-button" aria-pressed={shown} onClick={() => setShown(!shown)}>
					{shown ? strings.password.hide : strings.password.show}
					<span class="visually-hidden"> {label}</span>
				</button>
			</span>
		</Frame>
	);
}

function Frame(props: {
	id: string;
	label: string;
	hint?: ComponentChildren;
	error?: string | undefined;
	children: ComponentChildren;
}) {
	return (
		<div class="field">
			<label for={props.id}>{props.label}</label>
			{props.children}
			{props.hint && (
				<p class="hint" id={`${props.id}-hint`}>
					{props.hint}
				</p>
			)}
			{props.error && (
				<p class="field-error" id={`${props.id}-error`}>
					{props.error}
				</p>
			)}
		</div>
	);
}

function describedBy(id: string, hint: ComponentChildren, error: string | undefined): string | undefined {
	return [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
}
