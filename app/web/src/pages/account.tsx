import { useState } from "preact/hooks";
import { service, take } from "../api/client.ts";
import { useResource } from "../state/resource.ts";
import { strings } from "../strings.ts";
import { PageHead } from "../ui/page.tsx";
import { Failed, LoadingRows } from "../ui/states.tsx";
import { OwnData } from "./account/data.tsx";
import { PasswordSection } from "./account/password.tsx";
import { Profile } from "./account/profile.tsx";
import { Sessions } from "./account/sessions.tsx";
import { TwoFactor } from "./account/totp.tsx";

/** Who the person is, how they sign in and where they are, and what of theirs is kept here. */
export default function Account() {
	const account = useResource("account", (signal) => take(service.GET("/api/v1/account", { signal })));
	// A new password ends the other sessions: their list starts afresh.
	const [passwords, setPasswords] = useState(0);
	const { data, error } = account;
	return (
		<div class="page">
			<PageHead title={strings.account.title} />
			{error && !data ? (
				<Failed error={error} retry={account.reload} />
			) : !data ? (
				<LoadingRows rows={6} />
			) : (
				<div class="sections">
					<Profile account={data} onChanged={account.replace} />
					<Sessions key={passwords} />
					<PasswordSection email={data.email} onChanged={() => setPasswords((count) => count + 1)} />
					<TwoFactor enabled={data.totp_enabled} onChanged={account.reload} />
					<OwnData />
				</div>
			)}
		</div>
	);
}
