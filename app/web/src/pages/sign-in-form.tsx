import { useEffect, useRef, useState } from "preact/hooks";
import { service, take } from "../api/client.ts";
import { RequestError } from "../api/problem.ts";
import { submits, useAction } from "../state/action.ts";
import { signedIn } from "../state/session.ts";
import { explain, strings } from "../strings.ts";
import { Button } from "../ui/button.tsx";
import { PasswordField, TextField } from "../ui/field.tsx";
import { FormError } from "../ui/states.tsx";

const text = strings.signIn;

type Step = "password" | "code" | "recovery";

interface SignInFormProps {
	/** Set when the person signs in again: only they can. */
	email?: string;
	onSignedIn?: () => void;
}

/** E-mail and password, then a code where two-factor sign-in is on. */
export function SignInForm({ email: known, onSignedIn }: SignInFormProps) {
	const [step, setStep] = useState<Step>("password");
	const [email, setEmail] = useState(known ?? "");
	const [password, setPassword] = useState("");
	const [code, setCode] = useState("");
	const form = useRef<HTMLFormElement>(null);

	const submit = useAction(async () => {
		const proof = step === "code" ? { totp_code: code.replace(/\s/g, "") } : { recovery_code: code.trim() };
		try {
			const { user } = await take(
				service.POST("/api/v1/sessions", {
					body: { email: email.trim(), password, ...(step === "password" ? {} : proof) },
				}),
			);
			signedIn(user);
			onSignedIn?.();
		} catch (error) {
			if (!(error instanceof RequestError) || error.fault !== "totp-required" || step !== "password") throw error;
			setStep("code");
		}
	});

	// biome-ignore lint/correctness/useExhaustiveDependencies: each step begins in its first field that is not filled.
	useEffect(() => {
		const fields = [...(form.current?.querySelectorAll<HTMLInputElement>("input:not([readonly])") ?? [])];
		fields.find((field) => field.value === "")?.focus();
	}, [step]);

	const change = (next: Step) => {
		setStep(next);
		setCode("");
		submit.clear();
		if (next === "password") setPassword("");
	};

	return (
		<form ref={form} class="form" onSubmit={submits(submit.run)}>
			{step === "password" ? (
				<>
					<TextField
						label={text.email}
						type="email"
						name="email"
						autocomplete="username"
						autocapitalize="none"
						spellcheck={false}
						required
						readOnly={known !== undefined}
						value={email}
						onValue={setEmail}
					/>
					<PasswordField
						label={strings.password.label}
						name="password"
						required
						value={password}
						onValue={setPassword}
					/>
				</>
			) : (
				<CodeFields step={step} code={code} onCode={setCode} onStep={change} />
			)}
			<FormError>{submit.error && complaint(submit.error, step)}</FormError>
			<Button kind="primary" type="submit" class="button-wide" busy={submit.busy}>
				{text.submit}
			</Button>
		</form>
	);
}

function CodeFields(props: {
	step: "code" | "recovery";
	code: string;
	onCode: (code: string) => void;
	onStep: (step: Step) => void;
}) {
	const recovery = props.step === "recovery";
	return (
		<>
			<p>{recovery ? text.recoveryLead : text.codeLead}</p>
			<TextField
				key={props.step}
				label={recovery ? text.recoveryCode : text.code}
				name="code"
				inputMode={recovery ? "text" : "numeric"}
				autocomplete="one-time-code"
				autocapitalize="none"
				spellcheck={false}
				required
				value={props.code}
				onValue={props.onCode}
			/>
			<p class="form-links">
				<button type="button" class="link" onClick={() => props.onStep(recovery ? "code" : "recovery")}>
					{recovery ? text.useCode : text.useRecovery}
				</button>
				<button type="button" class="link" onClick={() => props.onStep("password")}>
					{text.startOver}
				</button>
			</p>
		</>
	);
}

function complaint(error: RequestError, step: Step): string {
	if (error.fault === "signed-out" || error.fault === "totp-required") {
		return step === "password" ? text.wrong : step === "code" ? text.codeWrong : text.recoveryWrong;
	}
	return explain(error);
}
