import { useEffect, useRef } from "preact/hooks";
import { strings } from "../../strings.ts";
import { Button } from "../../ui/button.tsx";
import { Dialog, DialogFoot } from "../../ui/dialog.tsx";
import type { ConflictingField } from "./record-edits.ts";
import { show } from "./values.ts";

const text = strings.conflict;

interface ConflictDialogProps {
	title: string;
	fields: readonly ConflictingField[];
	onKeep: (keep: "mine" | "theirs") => void;
}

/** Two people changed the same field: both values side by side, and the person decides. Nothing is lost before. */
export function ConflictDialog({ title, fields, onKeep }: ConflictDialogProps) {
	// The dialog comes by itself, perhaps in the middle of typing: no key that is just pressed may answer it.
	const lead = useRef<HTMLParagraphElement>(null);
	useEffect(() => lead.current?.focus(), []);
	return (
		<Dialog title={text.title} size="middle">
			<div class="dialog-body">
				<p ref={lead} tabIndex={-1}>
					{text.lead(title)}
				</p>
				<table class="conflict-table">
					<thead>
						<tr>
							<th scope="col">{text.field}</th>
							<th scope="col">{text.mine}</th>
							<th scope="col">{text.theirs}</th>
						</tr>
					</thead>
					<tbody>
						{fields.map((field) => (
							<tr key={field.name}>
								<th scope="row">{field.name ?? strings.records.title}</th>
								<td class="conflict-mine">
									<Shown value={field.mine} />
								</td>
								<td>
									<Shown value={field.theirs} />
								</td>
							</tr>
						))}
					</tbody>
				</table>
				<DialogFoot>
					<Button onClick={() => onKeep("theirs")}>{text.keepTheirs}</Button>
					<Button kind="primary" onClick={() => onKeep("mine")}>
						{text.keepMine}
					</Button>
				</DialogFoot>
			</div>
		</Dialog>
	);
}

function Shown({ value }: { value: unknown }) {
	const shown = show(value);
	return shown === "" ? <span class="nothing">{text.empty}</span> : <span>{shown}</span>;
}
