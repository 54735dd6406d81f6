import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { submits, useAction } from "../../state/action.ts";
import { strings } from "../../strings.ts";
import { Button } from "../../ui/button.tsx";
import { DialogFoot } from "../../ui/dialog.tsx";
import { PasswordField } from "../../ui/field.tsx";
import { FormError } from "../../ui/states.tsx";

interface ConfirmPasswordProps {
	/** What the button says. */
	label: string;
	danger?: boolean;
	children?: ComponentChildren;
	/** Does what was asked for with the password; a RequestError is shown here. */
	work: (password: string) => Promise<void>;
	onClose: () => void;
}

/** The part of a dialog that asks for the password before something that matters. */
export function ConfirmPassword({ label, danger = false, children, work, onClose }: ConfirmPasswordProps) {
	const [password, setPassword] = useState("");
	const confirm = useAction(() => work(password));
	const form = useRef<HTMLFormElement>(null);
	useEffect(() => {
		form.current?.querySelector<HTMLInputElement>("input")?.focus();
	}, []);
	const wrong = confirm.error?.field("current_password") && strings.account.password.wrong;
	return (
		<form ref={form} class="form" onSubmit={submits(confirm.run)}>
			{children}
			<PasswordField label={strings.password.current} required error={wrong} value={password} onValue={setPassword} />
			<FormError error={wrong ? undefined : confirm.error} />
			<DialogFoot>
				<Button onClick={onClose}>{strings.cancel}</Button>
				<Button
					kind={danger ? "danger" : "primary"}
					class={danger ? "button-final" : ""}
					type="submit"
					busy={confirm.busy}
				>
					{label}
				</Button>
			</DialogFoot>
		</form>
	);
}
