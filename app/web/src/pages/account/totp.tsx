import { useEffect, useRef, useState } from "preact/hooks";
import { service, take } from "../../api/client.ts";
import { submits, useAction } from "../../state/action.ts";
import { shortly, toast } from "../../state/toasts.ts";
import { strings } from "../../strings.ts";
import { Button } from "../../ui/button.tsx";
import { Dialog, DialogFoot } from "../../ui/dialog.tsx";
import { TextField } from "../../ui/field.tsx";
import { Section } from "../../ui/section.tsx";
import { FormError } from "../../ui/states.tsx";
import { ConfirmPassword } from "./confirm-password.tsx";
import { QRCode } from "./qr.tsx";
import { RecoveryCodes } from "./recovery-codes.tsx";

const text = strings.account.totp;

/** Two-factor sign-in: on, off, and new recovery codes. */
export function TwoFactor({ enabled, onChanged }: { enabled: boolean; onChanged: () => void }) {
	const [doing, setDoing] = useState<"enable" | "disable" | "renew">();
	const close = () => setDoing(undefined);
	return (
		<Section title={text.title}>
			<p>{enabled ? text.on : text.off}</p>
			<div class="page-head-actions">
				{enabled ? (
					<>
						<Button icon="key" onClick={() => setDoing("renew")}>
							{text.newCodes}
						</Button>
						<Button kind="danger" onClick={() => setDoing("disable")}>
							{text.turnOff}
						</Button>
					</>
				) : (
					<Button icon="key" onClick={() => setDoing("enable")}>
						{text.turnOn}
					</Button>
				)}
			</div>
			{doing === "enable" && <Enable onClose={close} onEnabled={onChanged} />}
			{doing === "renew" && <Renew onClose={close} />}
			{doing === "disable" && (
				<Dialog title={text.offTitle} onClose={close}>
					<ConfirmPassword
						label={text.turnOff}
						danger
						onClose={close}
						work={async (password) => {
							await take(service.POST("/api/v1/account/totp/removal", { body: { current_password: password } }));
							toast({ tone: "plain", text: text.disabled, lasts: shortly });
							close();
							onChanged();
						}}
					>
						<p>{text.offText}</p>
					</ConfirmPassword>
				</Dialog>
			)}
		</Section>
	);
}

/** The password, then the secret for the app, then a code as proof that the app has it, then the recovery codes. */
function Enable({ onClose, onEnabled }: { onClose: () => void; onEnabled: () => void }) {
	const [setup, setSetup] = useState<{ secret: string; otpauth_uri: string }>();
	const [codes, setCodes] = useState<readonly string[]>();
	if (codes) {
		return (
			<Dialog title={text.codesTitle}>
				<RecoveryCodes
					codes={codes}
					onKept={() => {
						toast({ tone: "good", text: text.enabled, lasts: shortly });
						onClose();
						onEnabled();
					}}
				/>
			</Dialog>
		);
	}
	if (setup) {
		return (
			<Dialog title={text.scanTitle} onClose={onClose}>
				<Scan {...setup} onClose={onClose} onConfirmed={setCodes} />
			</Dialog>
		);
	}
	return (
		<Dialog title={text.confirmTitle} onClose={onClose}>
			<ConfirmPassword
				label={text.confirm}
				onClose={onClose}
				work={async (password) =>
					setSetup(await take(service.POST("/api/v1/account/totp", { body: { current_password: password } })))
				}
			/>
		</Dialog>
	);
}

interface ScanProps {
	secret: string;
	otpauth_uri: string;
	onClose: () => void;
	onConfirmed: (codes: readonly string[]) => void;
}

function Scan({ secret, otpauth_uri: address, onClose, onConfirmed }: ScanProps) {
	const [code, setCode] = useState("");
	const form = useRef<HTMLFormElement>(null);
	useEffect(() => {
		form.current?.querySelector<HTMLInputElement>("input")?.focus();
	}, []);
	const confirm = useAction(async () => {
		const body = { code: code.replace(/\s/g, "") };
		const { recovery_codes: codes } = await take(service.POST("/api/v1/account/totp/confirmation", { body }));
		onConfirmed(codes);
	});
	const wrong = confirm.error?.fault === "invalid" ? text.codeWrong : undefined;
	return (
		<form ref={form} class="form" onSubmit={submits(confirm.run)}>
			<p>{text.scan}</p>
			<QRCode content={address} />
			<p class="hint">
				{text.manual} <code class="secret">{secret.replace(/(.{4})(?=.)/g, "$1 ")}</code>
			</p>
			<p class="hint">
				<a href={address}>{text.open}</a>
			</p>
			<TextField
				label={text.code}
				name="code"
				inputMode="numeric"
				autocomplete="one-time-code"
				required
				error={wrong}
				value={code}
				onValue={setCode}
			/>
			<FormError error={wrong ? undefined : confirm.error} />
			<DialogFoot>
				<Button onClick={onClose}>{strings.cancel}</Button>
				<Button kind="primary" type="submit" busy={confirm.busy}>
					{text.verify}
				</Button>
			</DialogFoot>
		</form>
	);
}

function Renew({ onClose }: { onClose: () => void }) {
	const [codes, setCodes] = useState<readonly string[]>();
	if (codes) {
		return (
			<Dialog title={text.codesTitle}>
				<RecoveryCodes codes={codes} onKept={onClose} />
			</Dialog>
		);
	}
	return (
		<Dialog title={text.newCodes} onClose={onClose}>
			<ConfirmPassword
				label={text.newCodes}
				onClose={onClose}
				work={async (password) => {
					const body = { current_password: password };
					const { recovery_codes: fresh } = await take(service.POST("/api/v1/account/recovery-codes", { body }));
					setCodes(fresh);
				}}
			>
				<p>{text.newCodesText}</p>
			</ConfirmPassword>
		</Dialog>
	);
}
