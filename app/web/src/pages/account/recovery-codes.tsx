import { useState } from "preact/hooks";
import { strings } from "../../strings.ts";
import { Button } from "../../ui/button.tsx";
import { DialogFoot } from "../../ui/dialog.tsx";

const text = strings.account.totp;

/** The recovery codes, this one time; the dialog closes only when they are said to be kept. */
export function RecoveryCodes({ codes, onKept }: { codes: readonly string[]; onKept: () => void }) {
	const [copied, setCopied] = useState(false);
	const written = codes.join("\n");
	return (
		<div class="dialog-body">
			<p>{text.codesLead}</p>
			<ol class="codes">
				{codes.map((code) => (
					<li key={code}>
						<code>{code}</code>
					</li>
				))}
			</ol>
			<div class="page-head-actions">
				{/* The clipboard is there in secure contexts only: HTTPS, or this machine itself. */}
				{navigator.clipboard && (
					<Button
						icon={copied ? "check" : "file"}
						onClick={() => void navigator.clipboard.writeText(written).then(() => setCopied(true))}
					>
						{copied ? text.copied : text.copy}
					</Button>
				)}
				<Button icon="download" onClick={() => saveText(text.fileName, `${strings.product}\n\n${written}\n`)}>
					{text.downloadCodes}
				</Button>
			</div>
			<DialogFoot>
				<Button kind="primary" icon="check" onClick={onKept}>
					{text.kept}
				</Button>
			</DialogFoot>
		</div>
	);
}

function saveText(name: string, content: string): void {
	const link = document.createElement("a");
	link.href = URL.createObjectURL(new Blob([content], { type: "text/plain" }));
	link.download = name;
	link.click();
	setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
