import { useEffect, useRef, useState } from "preact/hooks";
import { ifMatch, service, take } from "../../api/client.ts";
import { CreateKeys } from "../../api/idempotency.ts";
import { RequestError } from "../../api/problem.ts";
import type { Panel } from "../../api/types.ts";
import { submits, useAction } from "../../state/action.ts";
import { useDraft } from "../../state/drafts.ts";
import { shortly, toast } from "../../state/toasts.ts";
import { strings } from "../../strings.ts";
import { Button } from "../../ui/button.tsx";
import { Dialog, DialogFoot } from "../../ui/dialog.tsx";
import { TextArea, TextField } from "../../ui/field.tsx";
import { FormError } from "../../ui/states.tsx";
import { parseColumns } from "./columns.ts";

const text = strings.panelForm;

interface PanelFormProps {
	/** The panel to change; absent to make one. */
	panel?: Panel | undefined;
	onClose: () => void;
	onSaved: (panel: Panel, created: boolean) => void;
}

/** Makes a panel, or changes its name and description. What was typed stays until it is saved or discarded. */
export function PanelForm({ panel, onClose, onSaved }: PanelFormProps) {
	const [draft, setDraft, clearDraft] = useDraft(`panel.${panel?.id ?? "new"}`, {
		name: panel?.name ?? "",
		description: panel?.description ?? "",
		columns: "",
	});
	const [version, setVersion] = useState(panel?.version ?? 0);
	const [stale, setStale] = useState(false);
	const keys = useRef(new CreateKeys());

	const save = useAction(async () => {
		const body = { name: draft.name.trim(), description: draft.description.trim() };
		if (panel) {
			try {
				const path = { panel_id: panel.id };
				const changed = await take(
					service.PATCH("/api/v1/panels/{panel_id}", {
						params: { path, header: { "If-Match": ifMatch(version) } },
						body,
					}),
				);
				clearDraft();
				toast({ tone: "good", text: text.saved, lasts: shortly });
				onSaved(changed, false);
			} catch (error) {
				if (!(error instanceof RequestError) || error.fault !== "stale") throw error;
				const newest = await take(
					service.GET("/api/v1/panels/{panel_id}", { params: { path: { panel_id: panel.id } } }),
				);
				setVersion(newest.version);
				setStale(true);
			}
			return;
		}
		const content = { ...body, columns: parseColumns(draft.columns) };
		const header = { "Idempotency-Key": keys.current.for(content) };
		const created = await take(service.POST("/api/v1/panels", { params: { header }, body: content }));
		keys.current.done();
		clearDraft();
		toast({ tone: "good", text: text.created(created.name), lasts: shortly });
		onSaved(created, true);
	});

	const form = useRef<HTMLFormElement>(null);
	useEffect(() => {
		form.current?.querySelector<HTMLInputElement>("input")?.focus();
	}, []);
	const { error } = save;
	const inField = error?.field("name") ?? error?.field("description");
	return (
		<Dialog
			title={panel ? text.editTitle : text.createTitle}
			onClose={() => {
				clearDraft();
				onClose();
			}}
		>
			<form ref={form} class="form" onSubmit={submits(save.run)}>
				<TextField
					label={text.name}
					name="name"
					required
					maxLength={200}
					autocomplete="off"
					error={error?.field("name")}
					value={draft.name}
					onValue={(name) => setDraft({ ...draft, name })}
				/>
				<TextArea
					label={text.description}
					name="description"
					maxLength={2_000}
					hint={text.descriptionHint}
					error={error?.field("description")}
					value={draft.description}
					onValue={(description) => setDraft({ ...draft, description })}
				/>
				{!panel && <ColumnsChoice value={draft.columns} onValue={(columns) => setDraft({ ...draft, columns })} />}
				{stale && !error && <FormError>{text.staleReloaded}</FormError>}
				<FormError error={inField === undefined ? error : undefined} />
				<DialogFoot>
					<Button
						onClick={() => {
							clearDraft();
							onClose();
						}}
					>
						{strings.cancel}
					</Button>
					<Button kind="primary" type="submit" busy={save.busy}>
						{panel ? strings.save : text.create}
					</Button>
				</DialogFoot>
			</form>
		</Dialog>
	);
}

function ColumnsChoice({ value, onValue }: { value: string; onValue: (value: string) => void }) {
	return (
		<>
			<fieldset class="presets">
				<legend>{text.startWith}</legend>
				{text.presets.map((preset) => {
					const columns = preset.columns.join(", ");
					return (
						<label key={preset.name} class="preset">
							<input type="radio" name="preset" checked={value === columns} onChange={() => onValue(columns)} />
							<span>{preset.name}</span>
						</label>
					);
				})}
			</fieldset>
			<TextField
				label={text.columns}
				name="columns"
				autocomplete="off"
				hint={text.columnsHint}
				value={value}
				onValue={onValue}
			/>
		</>
	);
}
