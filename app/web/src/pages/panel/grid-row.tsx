import { Component } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { PanelRecord } from "../../api/types.ts";
import { explain, strings } from "../../strings.ts";
import { Icon } from "../../ui/icon.tsx";
import { Time } from "../../ui/time.tsx";
import type { Edit } from "./record-edits.ts";
import { fieldOf, show } from "./values.ts";

const text = strings.records;

/** A cell of the grid: the index of its record, and of its column from the checkbox (0) on. */
export interface Place {
	row: number;
	column: number;
}

/** What can be done in a row. The same object for all rows and for as long as the grid is there. */
export interface RowActions {
	/** Moves the tab stop here; again: it was here already, so that the cell is to be edited. */
	activate: (place: Place, again: boolean) => void;
	edit: (place: Place) => void;
	/** Takes what was typed; the reason when it cannot be taken. */
	commit: (record: PanelRecord, column: number, typed: string) => string | undefined;
	/** Ends editing, and goes on at another cell if one is given. */
	leave: (then?: Place) => void;
	toggle: (record: PanelRecord, range: boolean) => void;
	open: (record: PanelRecord) => void;
}

interface GridRowProps {
	row: number;
	/** Pixels from the grid's top. */
	top: number;
	/** Undefined while it is not loaded. */
	record: PanelRecord | undefined;
	columns: readonly string[];
	selected: boolean;
	/** The column that holds the grid's tab stop, or -1 when another row does. */
	activeColumn: number;
	edit: Edit | undefined;
	editing: { column: number; text: string } | null;
	actions: RowActions;
}

/** One row. While the grid scrolls, rows that stay the same are not drawn again: only what they show is compared. */
export class GridRow extends Component<GridRowProps> {
	// An edit changes in place, so its state as it was drawn is kept for comparison.
	private drawn = "";
	// Whether the cell that is pressed held the focus before: only then does a click edit it.
	private pressedAgain = false;

	override shouldComponentUpdate(next: GridRowProps): boolean {
		const now = this.props;
		return (
			next.record !== now.record ||
			next.top !== now.top ||
			next.selected !== now.selected ||
			next.activeColumn !== now.activeColumn ||
			next.editing !== now.editing ||
			next.columns !== now.columns ||
			stateOf(next.edit) !== this.drawn
		);
	}

	override render(props: GridRowProps) {
		const { record, columns, row, activeColumn, editing, edit, actions } = props;
		this.drawn = stateOf(edit);
		const style = { transform: `translateY(${props.top}px)` };
		if (!record) {
			return (
				<div class="grid-row grid-row-loading" role="row" aria-rowindex={row + 2} style={style}>
					<div class="grid-cell" role="gridcell" aria-colspan={columns.length + 4}>
						<span class="visually-hidden">{strings.loading}</span>
					</div>
				</div>
			);
		}
		const status = edit?.error ? "failed" : edit ? "saving" : undefined;
		const last = columns.length + 3;
		const tab = (column: number) => ({
			tabIndex: activeColumn === column ? 0 : -1,
			"data-active": activeColumn === column ? "true" : undefined,
		});
		const cell = (column: number, name: string | null, value: string, more = "") => {
			const place = { row, column };
			if (editing?.column === column) {
				return (
					<CellEditor
						key={column}
						label={text.editCell(name ?? text.title)}
						more={more}
						column={column}
						typed={editing.text}
						onCommit={(typed) => actions.commit(record, column, typed)}
						onLeave={(by) => actions.leave(by && { row: row + by.row, column: column + by.column })}
					/>
				);
			}
			const changed = name === null ? edit?.changes.title !== undefined : edit?.changes.data.has(name);
			return (
				<div
					key={column}
					class={`grid-cell ${more}${changed ? ` grid-cell-${status}` : ""}`}
					role="gridcell"
					aria-colindex={column + 1}
					{...tab(column)}
					onPointerDown={(event) => {
						this.pressedAgain = document.activeElement === event.currentTarget;
					}}
					onClick={() => actions.activate(place, this.pressedAgain)}
					onFocus={() => activeColumn !== column && actions.activate(place, false)}
					onDblClick={() => actions.edit(place)}
				>
					<span class="grid-text" title={value.length > 18 ? value : undefined}>
						{value}
					</span>
					{changed && status === "saving" && <Icon name="busy" size={14} />}
					{changed && status === "failed" && <FailedMark reason={edit?.error ? explain(edit.error) : ""} />}
				</div>
			);
		};
		const shown = draftOf(record, edit);
		return (
			<div
				class={`grid-row${props.selected ? " grid-row-selected" : ""}`}
				role="row"
				aria-rowindex={row + 2}
				aria-selected={props.selected}
				style={style}
			>
				<div class="grid-cell grid-cell-select" role="gridcell" aria-colindex={1}>
					<input
						type="checkbox"
						class="checkbox"
						aria-label={text.select(shown.title)}
						checked={props.selected}
						{...tab(0)}
						onFocus={() => actions.activate({ row, column: 0 }, false)}
						onClick={(event) => {
							actions.toggle(record, event.shiftKey);
						}}
					/>
				</div>
				{cell(1, null, shown.title, "grid-cell-title")}
				{columns.map((name, index) => cell(index + 2, name, show(fieldOf(shown.data, name))))}
				<div
					class="grid-cell grid-cell-time"
					role="gridcell"
					aria-colindex={last}
					{...tab(last - 1)}
					onFocus={() => actions.activate({ row, column: last - 1 }, false)}
				>
					<Time at={record.updated_at} />
				</div>
				<div class="grid-cell grid-cell-open" role="gridcell" aria-colindex={last + 1}>
					<button
						type="button"
						class="icon-button"
						aria-label={text.open(shown.title)}
						title={text.open(shown.title)}
						{...tab(last)}
						onFocus={() => actions.activate({ row, column: last }, false)}
						onClick={() => actions.open(record)}
					>
						<Icon name="open" size={16} />
					</button>
				</div>
			</div>
		);
	}
}

function FailedMark({ reason }: { reason: string }) {
	return (
		<span class="grid-failed" title={`${text.notSaved}: ${reason}`}>
			<Icon name="alert" size={15} />
			<span class="visually-hidden">
				{text.notSaved}: {reason}
			</span>
		</span>
	);
}

interface CellEditorProps {
	label: string;
	more: string;
	column: number;
	typed: string;
	onCommit: (typed: string) => string | undefined;
	onLeave: (by?: { row: number; column: number }) => void;
}

function CellEditor({ label, more, column, typed, onCommit, onLeave }: CellEditorProps) {
	const [value, setValue] = useState(typed);
	const [complaint, setComplaint] = useState<string>();
	const input = useRef<HTMLInputElement>(null);
	const over = useRef(false);
	useLayoutEffect(() => {
		const element = input.current;
		element?.focus({ preventScroll: true });
		element?.setSelectionRange(element.value.length, element.value.length);
	}, []);

	const leave = (by?: { row: number; column: number }) => {
		const reason = onCommit(value);
		setComplaint(reason);
		if (reason !== undefined) return;
		over.current = true;
		onLeave(by);
	};
	return (
		<div class={`grid-cell grid-cell-editing ${more}`} role="gridcell" aria-colindex={column + 1}>
			<input
				ref={input}
				class="grid-input"
				aria-label={label}
				aria-invalid={complaint !== undefined}
				aria-errormessage={complaint === undefined ? undefined : "cell-complaint"}
				value={value}
				onInput={(event) => setValue(event.currentTarget.value)}
				onBlur={() => {
					if (!over.current) leave();
				}}
				onKeyDown={(event) => {
					event.stopPropagation();
					if (event.isComposing) return;
					const by = {
						Enter: { row: event.shiftKey ? -1 : 1, column: 0 },
						Tab: { row: 0, column: event.shiftKey ? -1 : 1 },
					};
					if (event.key === "Enter" || event.key === "Tab") {
						event.preventDefault();
						leave(by[event.key]);
					} else if (event.key === "Escape") {
						event.preventDefault();
						over.current = true;
						onLeave({ row: 0, column: 0 });
					}
				}}
			/>
			{complaint !== undefined && (
				<p class="grid-complaint" id="cell-complaint" role="alert">
					{complaint}
				</p>
			)}
		</div>
	);
}

/** The record as the person means it. */
function draftOf(record: PanelRecord, edit: Edit | undefined): { title: string; data: Record<string, unknown> } {
	if (!edit) return record;
	return {
		title: edit.changes.title ?? record.title,
		data: { ...record.data, ...Object.fromEntries(edit.changes.data) },
	};
}

function stateOf(edit: Edit | undefined): string {
	if (!edit) return "";
	return JSON.stringify([edit.changes.title, [...edit.changes.data], edit.saving, edit.error?.message]);
}
