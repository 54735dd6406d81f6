import { useState } from "preact/hooks";
import { service, take } from "../../api/client.ts";
import { submits, useAction } from "../../state/action.ts";
import { shortly, toast } from "../../state/toasts.ts";
import { strings } from "../../strings.ts";
import { Button } from "../../ui/button.tsx";
import { PasswordField } from "../../ui/field.tsx";
import { Section } from "../../ui/section.tsx";
import { FormError } from "../../ui/states.tsx";

const text = strings.account.password;

/** Changes the password; who does it has to know the current one. */
export function PasswordSection({ email, onChanged }: { email: string; onChanged: () => void }) {
	const [current, setCurrent] = useState("");
	const [next, setNext] = useState("");
	const change = useAction(async () => {
		await take(service.PUT("/api/v1/account/password", { body: { current_password: current, new_password: next } }));
		setCurrent("");
		setNext("");
		toast({ tone: "good", text: text.changed, lasts: shortly });
		onChanged();
	});
	const { error } = change;
	const wrong = error?.field("current_password") && text.wrong;
	const weak = error?.field("new_password");
	return (
		<Section title={text.title} lead={text.lead}>
			<form class="form" onSubmit={submits(change.run)}>
				{/* For password managers: whose password this is. */}
				<input
					class="visually-hidden"
					type="text"
					autocomplete="username"
					value={email}
					readOnly
					tabIndex={-1}
					aria-hidden="true"
				/>
				<PasswordField label={strings.password.current} required error={wrong} value={current} onValue={setCurrent} />
				<PasswordField
					label={strings.password.new}
					autocomplete="new-password"
					required
					minLength={8}
					maxLength={128}
					hint={strings.password.rule}
					error={weak}
					value={next}
					onValue={setNext}
				/>
				<FormError error={wrong || weak ? undefined : error} />
				<Button type="submit" class="button-start" busy={change.busy}>
					{text.submit}
				</Button>
			</form>
		</Section>
	);
}
