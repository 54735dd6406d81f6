import { useRef, useState } from "preact/hooks";
import { ifMatch, service, take } from "../../api/client.ts";
import { RequestError } from "../../api/problem.ts";
import type { Panel, PanelRecord } from "../../api/types.ts";
import { submits, useAction } from "../../state/action.ts";
import { shortly, toast } from "../../state/toasts.ts";
import { strings } from "../../strings.ts";
import { Button, IconButton } from "../../ui/button.tsx";
import { Dialog, DialogFoot } from "../../ui/dialog.tsx";
import { TextField } from "../../ui/field.tsx";
import { Icon } from "../../ui/icon.tsx";
import { FormError } from "../../ui/states.tsx";
import { hiddenFields, moved } from "../panels/columns.ts";

const text = strings.columns;

interface ColumnSettingsProps {
	panel: Panel;
	/** The records that are loaded: their fields are offered. */
	records: readonly PanelRecord[];
	onClose: () => void;
	onSaved: (panel: Panel) => void;
}

/** Which fields the table shows, and in which order. */
export function ColumnSettings({ panel, records, onClose, onSaved }: ColumnSettingsProps) {
	const [columns, setColumns] = useState<readonly string[]>(panel.columns ?? []);
	const [name, setName] = useState("");
	const [version, setVersion] = useState(panel.version);
	const [stale, setStale] = useState(false);
	const list = useRef<HTMLOListElement>(null);
	const save = useAction(async () => {
		try {
			const saved = await take(
				service.PATCH("/api/v1/panels/{panel_id}", {
					params: { path: { panel_id: panel.id }, header: { "If-Match": ifMatch(version) } },
					body: { columns: [...columns] },
				}),
			);
			toast({ tone: "good", text: text.saved, lasts: shortly });
			onSaved(saved);
		} catch (error) {
			if (!(error instanceof RequestError) || error.fault !== "stale") throw error;
			const newest = await take(service.GET("/api/v1/panels/{panel_id}", { params: { path: { panel_id: panel.id } } }));
			setVersion(newest.version);
			setStale(true);
		}
	});
	const taken = columns.includes(name.trim());
	const add = (column: string) => {
		if (column === "" || columns.includes(column)) return;
		setColumns([...columns, column]);
		setName("");
	};
	const remove = (index: number) => {
		// The button that is pressed goes away with its row: the focus moves on to its neighbour's.
		const rows = [...(list.current?.children ?? [])];
		const neighbour = rows[index + 1] ?? rows[index - 1];
		neighbour?.querySelector<HTMLElement>("button:last-of-type")?.focus();
		setColumns(columns.filter((_, at) => at !== index));
	};
	const found = hiddenFields(records, columns).slice(0, 12);
	return (
		<Dialog title={text.title} onClose={onClose}>
			<div class="dialog-body">
				<p class="lead">{text.lead}</p>
				{columns.length === 0 ? (
					<p class="nothing">{text.none}</p>
				) : (
					<ol class="column-list" ref={list}>
						{columns.map((column, index) => (
							<li key={column}>
								<span>{column}</span>
								<IconButton
									icon="arrowUp"
									label={text.up(column)}
									aria-disabled={index === 0}
									onClick={() => index > 0 && setColumns(moved(columns, index, index - 1))}
								/>
								<IconButton
									icon="arrowDown"
									label={text.down(column)}
									aria-disabled={index === columns.length - 1}
									onClick={() => index < columns.length - 1 && setColumns(moved(columns, index, index + 1))}
								/>
								<IconButton icon="close" label={text.remove(column)} onClick={() => remove(index)} />
							</li>
						))}
					</ol>
				)}
				{found.length > 0 && (
					<div>
						<p class="hint">{text.found}</p>
						<div class="chips">
							{found.map((column) => (
								<button type="button" class="chip" key={column} onClick={() => add(column)}>
									<Icon name="add" size={15} />
									{column}
								</button>
							))}
						</div>
					</div>
				)}
				<form class="add-row" onSubmit={submits(() => add(name.trim()))}>
					<TextField
						label={text.name}
						maxLength={100}
						autocomplete="off"
						error={taken ? text.taken : undefined}
						value={name}
						onValue={setName}
					/>
					<Button type="submit" icon="add">
						{text.add}
					</Button>
				</form>
				{stale && !save.error && <FormError>{strings.panelForm.staleReloaded}</FormError>}
				<FormError error={save.error} />
				<DialogFoot>
					<Button onClick={onClose}>{strings.cancel}</Button>
					<Button kind="primary" busy={save.busy} onClick={() => void save.run()}>
						{text.save}
					</Button>
				</DialogFoot>
			</div>
		</Dialog>
	);
}
