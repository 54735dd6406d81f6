import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { strings } from "../strings.ts";
import { IconButton } from "./button.tsx";

/** How many dialogs are open, one above the other. */
let open = 0;

interface DialogProps {
	title: string;
	/** Called for Escape and the closing button; absent when the dialog has to be answered. */
	onClose?: (() => void) | undefined;
	size?: "narrow" | "middle" | "wide";
	children: ComponentChildren;
}

/**
 * A modal dialog, open while it is rendered. The browser keeps the focus inside and makes the page behind inert; when it
 * goes, the focus returns to where it was.
 */
export function Dialog({ title, onClose, size = "narrow", children }: DialogProps) {
	const id = useId();
	const dialog = useRef<HTMLDialogElement>(null);

	// Open before any effect of what it holds, so that those may move the focus.
	useLayoutEffect(() => {
		const element = dialog.current;
		const before = document.activeElement;
		element?.showModal();
		document.documentElement.classList.toggle("dialog-open", ++open > 0);
		return () => {
			element?.close();
			document.documentElement.classList.toggle("dialog-open", --open > 0);
			if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
		};
	}, []);

	return (
		<dialog
			ref={dialog}
			class={`dialog dialog-${size}`}
			aria-labelledby={id}
			onCancel={(event) => {
				if (event.target !== event.currentTarget) return;
				event.preventDefault();
				onClose?.();
			}}
			// On a second Escape browsers close a dialog whatever was said to the first: one that has to be answered returns.
			onClose={(event) => {
				if (event.target !== event.currentTarget || !event.currentTarget.isConnected) return;
				if (onClose) onClose();
				else event.currentTarget.showModal();
			}}
		>
			<header class="dialog-head">
				<h2 id={id}>{title}</h2>
				{onClose && <IconButton icon="close" label={strings.close} onClick={onClose} />}
			</header>
			{children}
		</dialog>
	);
}

/** The row of buttons at a dialog's end: the one that does it comes last. */
export function DialogFoot({ children }: { children: ComponentChildren }) {
	return <footer class="dialog-foot">{children}</footer>;
}
