import { useState } from "preact/hooks";
import { ifMatch, service, take } from "../../api/client.ts";
import { RequestError } from "../../api/problem.ts";
import type { User } from "../../api/types.ts";
import { submits, useAction } from "../../state/action.ts";
import { user } from "../../state/session.ts";
import { shortly, toast } from "../../state/toasts.ts";
import { strings } from "../../strings.ts";
import { Button } from "../../ui/button.tsx";
import { TextField } from "../../ui/field.tsx";
import { Section } from "../../ui/section.tsx";
import { FormError } from "../../ui/states.tsx";

const text = strings.account.profile;

export function Profile({ account, onChanged }: { account: User; onChanged: (account: User) => void }) {
	const [name, setName] = useState(account.name);
	const save = useAction(async () => {
		const changed = await rename(account.version, name.trim());
		user.value = changed;
		toast({ tone: "good", text: text.saved, lasts: shortly });
		onChanged(changed);
	});
	return (
		<Section title={text.title}>
			<form class="form" onSubmit={submits(save.run)}>
				<TextField
					label={text.email}
					type="email"
					readOnly
					hint={text.emailHint}
					value={account.email}
					onValue={() => undefined}
				/>
				<TextField
					label={text.name}
					name="name"
					autocomplete="name"
					maxLength={100}
					error={save.error?.field("name")}
					value={name}
					onValue={setName}
				/>
				<FormError error={save.error?.field("name") ? undefined : save.error} />
				<Button type="submit" class="button-start" busy={save.busy}>
					{strings.save}
				</Button>
			</form>
		</Section>
	);
}

/** A name is the person's own and a single value: over a newer version of the account, the one just typed is right. */
async function rename(version: number, name: string): Promise<User> {
	const put = (over: number) =>
		take(service.PATCH("/api/v1/account", { params: { header: { "If-Match": ifMatch(over) } }, body: { name } }));
	try {
		return await put(version);
	} catch (error) {
		if (!(error instanceof RequestError) || error.fault !== "stale") throw error;
		const newest = await take(service.GET("/api/v1/account"));
		return put(newest.version);
	}
}
