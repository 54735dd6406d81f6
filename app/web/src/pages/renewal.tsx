import { renewal, signedOut } from "../state/session.ts";
import { strings } from "../strings.ts";
import { Dialog } from "../ui/dialog.tsx";
import { SignInForm } from "./sign-in-form.tsx";

/** Asks for the password again when the session has ended, over the page as it stands. */
export default function Renewal() {
	const asked = renewal.value;
	if (!asked) return null;
	return (
		<Dialog title={strings.renewal.title}>
			<p>{strings.renewal.lead}</p>
			<SignInForm email={asked.email} />
			<p class="form-links">
				<button type="button" class="link" onClick={() => signedOut(true)}>
					{strings.renewal.leave}
				</button>
			</p>
		</Dialog>
	);
}
