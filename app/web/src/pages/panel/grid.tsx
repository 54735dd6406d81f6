import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { PanelRecord } from "../../api/types.ts";
import { strings } from "../../strings.ts";
import { Icon } from "../../ui/icon.tsx";
import { GridRow, type Place, type RowActions } from "./grid-row.tsx";
import type { Edit } from "./record-edits.ts";
import type { Selection } from "./selection.ts";
import { fieldOf, type Reading, read, show } from "./values.ts";
import { type RowWindow, rowsToLayOut, rowWindow } from "./window.ts";

const text = strings.records;

export type RecordSort = "created" | "-created" | "title" | "-title" | "updated" | "-updated";

interface RecordGridProps {
	label: string;
	columns: readonly string[];
	/** The records that are loaded, from the first on. */
	records: readonly PanelRecord[];
	/** How many there are, loaded or not. */
	length: number;
	sort: RecordSort;
	onSort: (sort: RecordSort) => void;
	selection: Selection;
	onToggle: (record: PanelRecord, range: boolean) => void;
	onToggleAll: () => void;
	editOf: (id: string) => Edit | undefined;
	/** Takes a value that was typed: the column's name, or null for the title. */
	onChange: (record: PanelRecord, column: string | null, value: unknown) => void;
	/** Says whether somebody types in a cell: what is shown must stay until that is over. */
	onEditing: (editing: boolean) => void;
	onOpen: (record: PanelRecord) => void;
	/** Called with how many rows are looked at. */
	onLook: (rows: number) => void;
}

/** Rows asked for beyond those in sight, so that they are there when they are scrolled to. */
const ahead = 120;
const headHeight = 40;

/**
 * A table of records as an ARIA grid: one stop for Tab, arrow keys inside, Enter or a second click edits a cell in place.
 * Only the rows in sight exist in the document, whatever the number of records.
 */
export function RecordGrid(props: RecordGridProps) {
	const { records, columns, sort } = props;
	const scroller = useRef<HTMLDivElement>(null);
	const [rowHeight, setRowHeight] = useState(44);
	const [window, setWindow] = useState<RowWindow>({ first: 0, last: 30 });
	const [active, setActive] = useState<Place>({ row: 0, column: 1 });
	const [editing, setEditing] = useState<{ id: string; column: number; text: string } | null>(null);
	const focusNext = useRef(false);
	const rows = rowsToLayOut(props.length, records.length, rowHeight);
	const lastColumn = columns.length + 3;

	const look = useRef(() => {});
	look.current = () => {
		const element = scroller.current;
		if (!element) return;
		const next = rowWindow(element.scrollTop, element.clientHeight - headHeight, rowHeight, rows);
		if (next.first !== window.first || next.last !== window.last) setWindow(next);
		props.onLook(next.last + ahead);
	};
	useLayoutEffect(() => {
		const element = scroller.current;
		if (!element) return;
		setRowHeight(Number.parseFloat(getComputedStyle(element).getPropertyValue("--row")) || 44);
		const observer = new ResizeObserver(() => look.current());
		observer.observe(element);
		return () => observer.disconnect();
	}, []);
	// biome-ignore lint/correctness/useExhaustiveDependencies: looked at again when there are more rows, or others.
	useEffect(() => look.current(), [rows, rowHeight, records.length]);
	const editedRow = editing ? records.findIndex((record) => record.id === editing.id) : -1;
	const typing = editedRow >= 0;
	useLayoutEffect(() => {
		props.onEditing(typing);
		return () => props.onEditing(false);
	}, [typing, props.onEditing]);
	useLayoutEffect(() => {
		if (!focusNext.current || editing) return;
		focusNext.current = false;
		scroller.current?.querySelector<HTMLElement>("[data-active='true']")?.focus({ preventScroll: true });
	});

	// Asked before the rows are drawn: one that moves loses the focus.
	const inCell = document.activeElement?.closest("[role=gridcell]") != null;
	const activeID = useRef<string | undefined>(undefined);
	// biome-ignore lint/correctness/useExhaustiveDependencies: when there is another list.
	useLayoutEffect(() => {
		setEditing(null);
		// Another list starts at its top, but who works in a cell goes on there, lest they type into another record's.
		const row = inCell ? records.findIndex((record) => record.id === activeID.current) : -1;
		if (row >= 0) return moveTo({ row, column: active.column });
		scroller.current?.scrollTo(0, 0);
		setActive({ row: 0, column: 1 });
	}, [records]);
	useLayoutEffect(() => {
		activeID.current = records[active.row]?.id;
	});

	const moveTo = (place: Place) => {
		const row = Math.max(0, Math.min(place.row, Math.min(rows, records.length) - 1));
		const column = Math.max(0, Math.min(place.column, lastColumn));
		focusNext.current = true;
		setActive({ row, column });
		reveal(scroller.current, row, column, rowHeight);
	};
	const columnName = (column: number): string | null => (column === 1 ? null : (columns[column - 2] as string));
	const valueAt = (record: PanelRecord, column: number): unknown => {
		const name = columnName(column);
		return name === null ? record.title : fieldOf(record.data, name);
	};
	const editable = (column: number) => column >= 1 && column <= columns.length + 1;
	const startEdit = (place: Place, typed?: string) => {
		const record = records[place.row];
		if (!record || !editable(place.column)) return;
		setActive(place);
		setEditing({ id: record.id, column: place.column, text: typed ?? show(valueAt(record, place.column)) });
	};
	const readTyped = (record: PanelRecord, column: number, typed: string): Reading | { message: string } => {
		if (column !== 1) return read(typed, valueAt(record, column));
		const title = typed.trim();
		if (title === "") return { message: text.titleMissing };
		return [...title].length > 200 ? { message: text.titleTooLong } : { value: title };
	};
	/** Takes the typed text over; false (and the reason) when it cannot be. */
	const commit = (record: PanelRecord, column: number, typed: string): string | undefined => {
		const reading = readTyped(record, column, typed);
		if ("message" in reading) return reading.message;
		if ("expected" in reading) return text.valueInvalid(text.kinds[reading.expected]);
		if (typed !== show(valueAt(record, column))) props.onChange(record, columnName(column), reading.value);
		setEditing(null);
		return undefined;
	};

	// Rows that stay the same are not drawn again, so they need actions that stay the same and do what is right by then.
	const actions = useRef<RowActions>(null as unknown as RowActions);
	actions.current = {
		activate: (place, again) => (again ? startEdit(place) : setActive(place)),
		edit: startEdit,
		commit,
		leave: (then) => {
			setEditing(null);
			if (then) moveTo(then);
		},
		toggle: props.onToggle,
		open: props.onOpen,
	};
	const [stable] = useState<RowActions>(() => ({
		activate: (...input) => actions.current.activate(...input),
		edit: (...input) => actions.current.edit(...input),
		commit: (...input) => actions.current.commit(...input),
		leave: (...input) => actions.current.leave(...input),
		toggle: (...input) => actions.current.toggle(...input),
		open: (...input) => actions.current.open(...input),
	}));

	const onKeyDown = (event: KeyboardEvent) => {
		if (editing || event.defaultPrevented) return;
		const { row, column } = active;
		const record = records[row];
		const page = Math.max(1, Math.floor(((scroller.current?.clientHeight ?? 400) - headHeight) / rowHeight) - 1);
		const far = event.ctrlKey || event.metaKey;
		const moves: Record<string, Place> = {
			ArrowDown: { row: far ? records.length : row + 1, column },
			ArrowUp: { row: far ? 0 : row - 1, column },
			ArrowRight: { row, column: far ? lastColumn : column + 1 },
			ArrowLeft: { row, column: far ? 0 : column - 1 },
			PageDown: { row: row + page, column },
			PageUp: { row: row - page, column },
			Home: { row: far ? 0 : row, column: 0 },
			End: { row: far ? records.length : row, column: lastColumn },
		};
		const target = event.target as HTMLElement;
		if (!target.closest("[role=gridcell]")) return;
		const move = moves[event.key];
		if (move) {
			event.preventDefault();
			moveTo(move);
		} else if ((event.key === "Enter" || event.key === "F2") && editable(column)) {
			event.preventDefault();
			startEdit(active);
		} else if (event.key === " " && record && column !== 0 && column !== lastColumn) {
			event.preventDefault();
			props.onToggle(record, event.shiftKey);
		} else if (far && event.key.toLowerCase() === "a") {
			event.preventDefault();
			props.onToggleAll();
		} else if (event.key.length === 1 && !far && !event.altKey && editable(column)) {
			event.preventDefault();
			startEdit(active, event.key);
		}
	};

	const drawn: number[] = [];
	for (let row = window.first; row < Math.min(window.last, rows); row++) drawn.push(row);
	// The row that holds the focus or an editor stays, however far it is scrolled away.
	const kept = editing ? editedRow : active.row;
	if (kept >= 0 && kept < rows && !drawn.includes(kept)) drawn.push(kept);

	const allSelected = records.length > 0 && props.selection.ids.size >= records.length;
	return (
		<div
			class={`grid-scroll${columns.length === 0 ? " grid-scroll-bare" : ""}`}
			ref={scroller}
			onScroll={() => look.current()}
			style={{ "--columns": columns.length }}
		>
			<div
				class="grid"
				role="grid"
				aria-label={props.label}
				aria-rowcount={props.length + 1}
				aria-colcount={lastColumn + 1}
				aria-multiselectable="true"
				style={{ height: `${headHeight + rows * rowHeight}px` }}
				onKeyDown={onKeyDown}
				onCopy={(event) => {
					const record = records[active.row];
					if (editing || !record || !editable(active.column) || !getSelection()?.isCollapsed) return;
					event.clipboardData?.setData("text/plain", show(valueAt(record, active.column)));
					event.preventDefault();
				}}
				onPaste={(event) => {
					const pasted = event.clipboardData?.getData("text/plain");
					if (editing || !pasted || !(event.target as HTMLElement).closest("[role=gridcell]")) return;
					event.preventDefault();
					startEdit(active, pasted.replace(/\r?\n$/, ""));
				}}
			>
				<div class="grid-head" role="rowgroup">
					<div class="grid-row" role="row" aria-rowindex={1}>
						<div class="grid-cell grid-cell-select" role="columnheader" aria-colindex={1}>
							<input
								type="checkbox"
								class="checkbox"
								aria-label={text.selectAll}
								checked={allSelected}
								indeterminate={!allSelected && props.selection.ids.size > 0}
								onChange={props.onToggleAll}
							/>
						</div>
						<SortHeader
							class="grid-cell-title"
							index={2}
							name={text.title}
							key1="title"
							sort={sort}
							onSort={props.onSort}
						/>
						{columns.map((name, index) => (
							<div class="grid-cell" role="columnheader" key={name} aria-colindex={index + 3} title={name}>
								<span class="grid-text">{name}</span>
							</div>
						))}
						<SortHeader
							index={columns.length + 3}
							name={text.updated}
							key1="updated"
							sort={sort}
							onSort={props.onSort}
						/>
						<div class="grid-cell" role="columnheader" aria-colindex={columns.length + 4}>
							<span class="visually-hidden">{strings.recordForm.openTitle}</span>
						</div>
					</div>
				</div>
				<div role="rowgroup">
					{drawn.map((row) => {
						const record = records[row];
						return (
							<GridRow
								key={record?.id ?? `row ${row}`}
								row={row}
								top={headHeight + row * rowHeight}
								record={record}
								columns={columns}
								selected={record !== undefined && props.selection.ids.has(record.id)}
								activeColumn={active.row === row ? active.column : -1}
								edit={record && props.editOf(record.id)}
								editing={editing && record?.id === editing.id ? editing : null}
								actions={stable}
							/>
						);
					})}
				</div>
			</div>
		</div>
	);
}

interface SortHeaderProps {
	index: number;
	name: string;
	key1: "title" | "updated";
	sort: RecordSort;
	onSort: (sort: RecordSort) => void;
	class?: string;
}

function SortHeader({ index, name, key1, sort, onSort, class: more = "" }: SortHeaderProps) {
	const order = sort === key1 ? "ascending" : sort === `-${key1}` ? "descending" : undefined;
	return (
		<div class={`grid-cell ${more}`} role="columnheader" aria-colindex={index} aria-sort={order ?? "none"}>
			<button type="button" class="grid-sort" onClick={() => onSort(order === "ascending" ? `-${key1}` : key1)}>
				{name}
				{order && <Icon name={order === "ascending" ? "arrowUp" : "arrowDown"} size={14} />}
			</button>
		</div>
	);
}

/** Scrolls so far that a cell is in sight, beside the head and the title that stay. */
function reveal(scroller: HTMLElement | null, row: number, column: number, rowHeight: number): void {
	if (!scroller) return;
	const top = row * rowHeight;
	const height = scroller.clientHeight - headHeight;
	if (top < scroller.scrollTop) scroller.scrollTop = top;
	else if (top + rowHeight > scroller.scrollTop + height) scroller.scrollTop = top + rowHeight - height;
	const heads = scroller.querySelectorAll<HTMLElement>("[role=columnheader]");
	const head = heads[column];
	const title = heads[1];
	if (!head || !title || column <= 1) {
		if (column <= 1) scroller.scrollLeft = 0;
		return;
	}
	const fixed = title.getBoundingClientRect().right - scroller.getBoundingClientRect().left;
	const left = head.offsetLeft;
	if (left < scroller.scrollLeft + fixed) scroller.scrollLeft = left - fixed;
	const right = left + head.offsetWidth;
	if (right > scroller.scrollLeft + scroller.clientWidth) scroller.scrollLeft = right - scroller.clientWidth;
}
