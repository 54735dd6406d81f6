import { useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { service, take } from "../api/client.ts";
import { submits, useAction } from "../state/action.ts";
import { useDraft } from "../state/drafts.ts";
import { signedIn } from "../state/session.ts";
import { strings } from "../strings.ts";
import { Button } from "../ui/button.tsx";
import { PasswordField, TextField } from "../ui/field.tsx";
import { FormError } from "../ui/states.tsx";
import { Door } from "./door.tsx";

const text = strings.signUp;

export default function SignUp() {
	const { query } = useLocation();
	const next = query.next;
	const [draft, setDraft, clearDraft] = useDraft("sign-up", { email: "", name: "" });
	const [password, setPassword] = useState("");
	const submit = useAction(async () => {
		const name = draft.name.trim();
		const { user } = await take(
			service.POST("/api/v1/users", { body: { email: draft.email.trim(), password, ...(name && { name }) } }),
		);
		clearDraft();
		signedIn(user);
	});
	const { error } = submit;
	const inField = error?.field("email") ?? error?.field("password") ?? error?.field("name");
	return (
		<Door title={text.title} lead={text.lead}>
			<form class="form" onSubmit={submits(submit.run)}>
				<TextField
					label={strings.signIn.email}
					type="email"
					name="email"
					autocomplete="username"
					autocapitalize="none"
					spellcheck={false}
					required
					error={error?.field("email")}
					value={draft.email}
					onValue={(email) => setDraft({ ...draft, email })}
				/>
				<TextField
					label={text.name}
					name="name"
					autocomplete="name"
					maxLength={100}
					hint={text.nameHint}
					error={error?.field("name")}
					value={draft.name}
					onValue={(name) => setDraft({ ...draft, name })}
				/>
				<PasswordField
					label={strings.password.label}
					name="password"
					autocomplete="new-password"
					required
					minLength={8}
					maxLength={128}
					hint={strings.password.rule}
					error={error?.field("password")}
					value={password}
					onValue={setPassword}
				/>
				{error?.fault === "conflict" ? (
					<FormError>{text.taken}</FormError>
				) : (
					<FormError error={inField === undefined ? error : undefined} />
				)}
				<Button kind="primary" type="submit" class="button-wide" busy={submit.busy}>
					{text.submit}
				</Button>
			</form>
			<p class="door-switch">
				{text.haveAccount} <a href={next ? `/sign-in?next=${encodeURIComponent(next)}` : "/sign-in"}>{text.toSignIn}</a>
			</p>
		</Door>
	);
}
