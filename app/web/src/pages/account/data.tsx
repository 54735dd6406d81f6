import { useState } from "preact/hooks";
import { service, take } from "../../api/client.ts";
import { exportAccount } from "../../state/export.ts";
import { signedOut } from "../../state/session.ts";
import { toast, undoable } from "../../state/toasts.ts";
import { strings } from "../../strings.ts";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Section } from "../../ui/section.tsx";
import { ConfirmPassword } from "./confirm-password.tsx";

const text = strings.account.data;

/** What of the person is kept here: taken out as an archive, or deleted with the account. */
export function OwnData() {
	const [deleting, setDeleting] = useState(false);
	return (
		<>
			<Section title={text.title} lead={text.lead}>
				<Button icon="download" class="button-start" onClick={() => void exportAccount()}>
					{text.export}
				</Button>
			</Section>
			<Section title={text.deleteTitle} lead={text.deleteLead}>
				<Button kind="danger" icon="trash" class="button-start" onClick={() => setDeleting(true)}>
					{text.delete}
				</Button>
			</Section>
			{deleting && (
				<Dialog title={text.deleteConfirmTitle} onClose={() => setDeleting(false)}>
					<ConfirmPassword
						label={text.delete}
						danger
						onClose={() => setDeleting(false)}
						work={async (password) => {
							await take(service.POST("/api/v1/account/deletion", { body: { current_password: password } }));
							signedOut(true);
							toast({ tone: "plain", text: text.deleted, lasts: undoable });
						}}
					>
						<p>{text.deleteConfirm}</p>
						<Button icon="download" class="button-start" onClick={() => void exportAccount()}>
							{text.exportFirst}
						</Button>
					</ConfirmPassword>
				</Dialog>
			)}
		</>
	);
}
