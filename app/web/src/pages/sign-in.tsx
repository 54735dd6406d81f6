import { useLocation } from "preact-iso";
import { strings } from "../strings.ts";
import { Door } from "./door.tsx";
import { SignInForm } from "./sign-in-form.tsx";

export default function SignIn() {
	const { query } = useLocation();
	const next = query.next;
	return (
		<Door title={strings.signIn.title} lead={strings.signIn.lead}>
			<SignInForm />
			<p class="door-switch">
				{strings.signIn.noAccount}{" "}
				<a href={next ? `/sign-up?next=${encodeURIComponent(next)}` : "/sign-up"}>{strings.signIn.toSignUp}</a>
			</p>
		</Door>
	);
}
