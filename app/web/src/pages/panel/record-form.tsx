import { useEffect, useRef, useState } from "preact/hooks";
import { CreateKeys } from "../../api/idempotency.ts";
import type { RequestError } from "../../api/problem.ts";
import type { Panel, PanelRecord } from "../../api/types.ts";
import { submits, useAction } from "../../state/action.ts";
import { useDraft } from "../../state/drafts.ts";
import { shortly, toast } from "../../state/toasts.ts";
import { strings } from "../../strings.ts";
import { Button, IconButton } from "../../ui/button.tsx";
import { Dialog, DialogFoot } from "../../ui/dialog.tsx";
import { TextArea, TextField } from "../../ui/field.tsx";
import { FormError } from "../../ui/states.tsx";
import { Time } from "../../ui/time.tsx";
import { BulkDeletion } from "./deletion.tsx";
import { changesOf, draftOf, isSame, type RecordDraft } from "./record-draft.ts";
import type { RecordEdits } from "./record-edits.ts";
import { addRecord } from "./record-service.ts";
import type { Kind } from "./values.ts";

const text = strings.recordForm;

interface RecordFormProps {
	panel: Panel;
	/** The record to change; absent to add one. */
	record?: PanelRecord;
	edits?: RecordEdits;
	onClose: () => void;
	onAdded?: (record: PanelRecord) => void;
	onDeleted?: (id: string) => void;
}

/** All fields of a record, also those that the table does not show. What was typed is kept until it is saved. */
export function RecordForm({ panel, record, edits, onClose, onAdded, onDeleted }: RecordFormProps) {
	const [clean] = useState(() => draftOf(record ?? null, panel.columns ?? [], record && edits?.draft(record)));
	const [draft, setDraft, clearDraft] = useDraft<RecordDraft>(`record.${panel.id}.${record?.id ?? "new"}`, clean);
	const [restored, setRestored] = useState(() => !isSame(draft, clean));
	const [faults, setFaults] = useState<ReadonlyMap<string, Kind>>(new Map());
	const [deleting, setDeleting] = useState(false);
	const keys = useRef(new CreateKeys());
	const form = useRef<HTMLFormElement>(null);
	const focusFirst = () => form.current?.querySelector<HTMLElement>("input")?.focus();
	// biome-ignore lint/correctness/useExhaustiveDependencies: once, when the form opens.
	useEffect(() => {
		focusFirst();
	}, []);

	const close = () => {
		if (isSame(draft, clean)) clearDraft();
		onClose();
	};
	const save = useAction(async (another: boolean) => {
		const read = changesOf(draft);
		setFaults("faults" in read ? read.faults : new Map());
		if ("faults" in read) return;
		if (draft.base && edits) {
			// The form is the place to go on from a failure; the table need not show the same one below it.
			const failure = await edits.attempt(draft.base, read.changes);
			if (failure) throw failure;
			clearDraft();
			onClose();
			return;
		}
		const body = { title: draft.title.trim(), data: Object.fromEntries(read.changes.data) };
		const added = await addRecord(panel.id, body, keys.current.for(body));
		keys.current.done();
		clearDraft();
		onAdded?.(added);
		toast({ tone: "good", text: text.added(added.title), lasts: shortly });
		if (!another) return onClose();
		setRestored(false);
		setDraft(clean);
		focusFirst();
	});

	return (
		<Dialog title={record ? text.openTitle : text.addTitle} size="middle" onClose={close}>
			<form ref={form} class="form" onSubmit={submits(() => save.run(false))}>
				{restored && (
					<p class="hint">
						{text.draft}{" "}
						<button
							type="button"
							class="link"
							onClick={() => {
								setDraft(clean);
								setRestored(false);
							}}
						>
							{text.discardDraft}
						</button>
					</p>
				)}
				<Fields draft={draft} faults={faults} error={save.error} onDraft={setDraft} />
				{record && (
					<p class="facts">
						<span>
							{text.created} <Time at={record.created_at} />
						</span>
						<span>
							{text.updated} <Time at={record.updated_at} />
						</span>
					</p>
				)}
				<FormError error={save.error} />
				<DialogFoot>
					{record && (
						<Button kind="danger" icon="trash" class="button-first" onClick={() => setDeleting(true)}>
							{text.remove}
						</Button>
					)}
					{record ? (
						<Button onClick={close}>{strings.cancel}</Button>
					) : (
						<Button disabled={save.busy} onClick={() => form.current?.reportValidity() && void save.run(true)}>
							{text.addAnother}
						</Button>
					)}
					<Button kind="primary" type="submit" busy={save.busy}>
						{record ? text.save : text.add}
					</Button>
				</DialogFoot>
			</form>
			{deleting && record && (
				<BulkDeletion
					panel={panel}
					ids={[record.id]}
					onClose={() => setDeleting(false)}
					onDeleted={() => {
						clearDraft();
						onDeleted?.(record.id);
						onClose();
					}}
				/>
			)}
		</Dialog>
	);
}

interface FieldsProps {
	draft: RecordDraft;
	faults: ReadonlyMap<string, Kind>;
	error: RequestError | undefined;
	onDraft: (draft: RecordDraft) => void;
}

function Fields({ draft, faults, error, onDraft }: FieldsProps) {
	const [name, setName] = useState("");
	const taken = draft.fields.some((field) => field.name === name.trim());
	const change = (index: number, value: string) =>
		onDraft({ ...draft, fields: draft.fields.map((field, at) => (at === index ? { ...field, text: value } : field)) });
	const add = () => {
		if (name.trim() === "" || taken) return;
		onDraft({ ...draft, fields: [...draft.fields, { name: name.trim(), text: "" }] });
		setName("");
	};
	return (
		<>
			<TextField
				label={text.title}
				name="title"
				required
				maxLength={200}
				autocomplete="off"
				error={error?.field("title")}
				value={draft.title}
				onValue={(title) => onDraft({ ...draft, title })}
			/>
			{draft.fields.length === 0 && <p class="nothing">{text.noFields}</p>}
			{draft.fields.map((field, index) => {
				const expected = faults.get(field.name);
				return (
					<div class="record-field" key={field.name}>
						<TextArea
							label={field.name}
							rows={1}
							error={expected && strings.records.valueInvalid(strings.records.kinds[expected])}
							value={field.text}
							onValue={(value) => change(index, value)}
						/>
						<IconButton
							icon="close"
							label={text.removeField(field.name)}
							onClick={() => onDraft({ ...draft, fields: draft.fields.filter((one) => one !== field) })}
						/>
					</div>
				);
			})}
			<div class="add-row">
				<TextField
					label={text.newField}
					maxLength={100}
					autocomplete="off"
					error={taken ? text.fieldTaken : undefined}
					value={name}
					onValue={setName}
				/>
				<Button icon="add" onClick={add}>
					{text.addField}
				</Button>
			</div>
		</>
	);
}
