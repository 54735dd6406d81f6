import type { ButtonHTMLAttributes, ComponentChildren } from "preact";
import { Icon, type IconName } from "./icon.tsx";

type Kind = "primary" | "plain" | "quiet" | "danger";

interface ButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "icon" | "class"> {
	kind?: Kind;
	icon?: IconName;
	/** Work is under way: the button stays focusable, says so, and does nothing. */
	busy?: boolean | undefined;
	class?: string;
	children: ComponentChildren;
}

export function Button({ kind = "plain", icon, busy, children, class: more, onClick, ...rest }: ButtonProps) {
	return (
		<button
			type="button"
			{...rest}
			class={`button button-${kind}${more ? ` ${more}` : ""}`}
			aria-busy={busy}
			aria-disabled={busy || undefined}
			onClick={busy ? (event) => event.preventDefault() : onClick}
		>
			{busy ? <Icon name="busy" /> : icon && <Icon name={icon} />}
			<span>{children}</span>
		</button>
	);
}

interface IconButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "icon" | "class" | "label"> {
	icon: IconName;
	/** What it does, for those who do not see the icon, and as its tooltip. */
	label: string;
	class?: string;
}

export function IconButton({ icon, label, class: more, ...rest }: IconButtonProps) {
	return (
		<button type="button" {...rest} class={`icon-button${more ? ` ${more}` : ""}`} aria-label={label} title={label}>
			<Icon name={icon} />
		</button>
	);
}
