import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import type { Panel, PanelRecord } from "../../api/types.ts";
import { reconnections } from "../../state/connection.ts";
import { exportPanel } from "../../state/export.ts";
import { shortly, toast } from "../../state/toasts.ts";
import { explain, strings } from "../../strings.ts";
import { Button } from "../../ui/button.tsx";
import { ChoiceField } from "../../ui/choice-field.tsx";
import { Icon } from "../../ui/icon.tsx";
import { lazy } from "../../ui/lazy.tsx";
import { SearchField } from "../../ui/search-field.tsx";
import { Empty, Failed, LoadingRows } from "../../ui/states.tsx";
import { ColumnSettings } from "./column-settings.tsx";
import { ConflictDialog } from "./conflict.tsx";
import { BulkDeletion } from "./deletion.tsx";
import { RecordGrid, type RecordSort } from "./grid.tsx";
import { RecordForm } from "./record-form.tsx";
import { RecordPages } from "./record-pages.ts";
import { editsOf, fetchRecords } from "./record-service.ts";
import { extended, nothing, type Selection, toggled } from "./selection.ts";

const ImportDialog = lazy(() => import("./import.tsx"));

const text = strings.records;
const defaultSort: RecordSort = "-created";

interface RecordsProps {
	panel: Panel;
	onPanel: (panel: Panel) => void;
	onReload: () => void;
}

/** The records of a panel: found, sorted, edited in place, added, deleted, brought in and taken out. */
export function Records({ panel, onPanel, onReload }: RecordsProps) {
	const { path, query, route } = useLocation();
	const q = query.q ?? "";
	const sort = query.sort && query.sort in text.sorts ? (query.sort as RecordSort) : defaultSort;
	const [round, setRound] = useState(0);
	const [selection, setSelection] = useState<Selection>(nothing);
	const [open, setOpen] = useState<"new" | "columns" | "import" | "delete" | PanelRecord>();
	const columns = useStable(panel.columns ?? []);

	// biome-ignore lint/correctness/useExhaustiveDependencies: a new round starts the same list afresh.
	const pages = useMemo(
		() => new RecordPages((cursor, signal) => fetchRecords(panel.id, { q, sort, cursor }, signal)),
		[panel.id, q, sort, round],
	);
	useEffect(() => {
		setSelection(nothing);
		pages.want(100);
		const leave = reconnections.subscribe((count) => {
			if (count > 0 && pages.error) pages.retry();
		});
		return () => {
			leave();
			pages.dispose();
		};
	}, [pages]);
	pages.revision.value;
	// While another list's first page is under way, the last one stays in sight, and also while somebody types in its cells.
	const [editing, setEditing] = useState(false);
	const last = useRef({ pages, columns });
	const arrived = pages.records.length > 0 || pages.complete || pages.error !== undefined;
	if (arrived && !editing) last.current = { pages, columns };
	const shown = last.current.pages;
	const edits = useMemo(() => editsOf(panel.id), [panel.id]);
	useEffect(
		() =>
			edits.listen((record, merged) => {
				pages.replace(record);
				last.current.pages.replace(record);
				if (merged) toast({ tone: "good", text: text.merged, lasts: shortly });
			}),
		[edits, pages],
	);
	edits.revision.value;

	const go = (next: { q?: string; sort?: RecordSort }) => {
		const wanted = { q, sort, ...next };
		const search = new URLSearchParams({
			...(wanted.q && { q: wanted.q }),
			...(wanted.sort !== defaultSort && { sort: wanted.sort }),
		});
		route(search.size > 0 ? `${path}?${search}` : path, true);
	};
	const { records, error } = shown;
	const none = shown.complete && records.length === 0;
	const conflict = edits.all().find((edit) => edit.conflict);
	const selected = selection.ids.size;

	return (
		<section class="records" aria-label={strings.panel.records}>
			<div class="toolbar record-toolbar">
				{selected > 0 ? (
					<div class="selection-bar" role="status">
						<span>{text.selected(selected)}</span>
						<Button kind="danger" icon="trash" onClick={() => setOpen("delete")}>
							{text.deleteSelected}
						</Button>
						<Button kind="quiet" onClick={() => setSelection(nothing)}>
							{text.clearSelection}
						</Button>
					</div>
				) : (
					<>
						<SearchField
							label={text.filter}
							placeholder={text.filterPlaceholder}
							value={q}
							onSearch={(value) => go({ q: value })}
						/>
						<ChoiceField
							label={text.sortLabel}
							value={sort}
							choices={text.sorts}
							onChoose={(value) => go({ sort: value })}
						/>
					</>
				)}
				<div class="page-head-actions record-tools">
					<Button kind="quiet" icon="columns" onClick={() => setOpen("columns")}>
						{strings.panel.columns}
					</Button>
					<Button kind="quiet" icon="upload" onClick={() => setOpen("import")}>
						{strings.panel.import}
					</Button>
					<Button kind="quiet" icon="download" onClick={() => void exportPanel(panel)}>
						{strings.panel.export}
					</Button>
					<Button kind="primary" icon="add" onClick={() => setOpen("new")}>
						{strings.panel.add}
					</Button>
				</div>
			</div>

			<Unsaved edits={edits} />
			{none && q !== "" ? (
				<Empty icon="search" title={text.noMatchTitle} text={text.noMatchText(q)}>
					<Button onClick={() => go({ q: "" })}>{text.clearFilter}</Button>
				</Empty>
			) : none ? (
				<Empty icon="columns" title={text.emptyTitle} text={text.emptyText}>
					<div class="page-head-actions">
						<Button kind="primary" icon="add" onClick={() => setOpen("new")}>
							{strings.panel.add}
						</Button>
						<Button icon="upload" onClick={() => setOpen("import")}>
							{strings.panel.import}
						</Button>
					</div>
				</Empty>
			) : records.length === 0 && error ? (
				<Failed error={error} retry={() => pages.retry()} />
			) : records.length === 0 ? (
				<div class="grid-frame">
					<LoadingRows rows={8} label={text.loadingMore} />
				</div>
			) : (
				<div class="grid-frame" aria-busy={!arrived}>
					<RecordGrid
						label={text.grid(panel.name)}
						columns={last.current.columns}
						records={records}
						length={shown.length}
						sort={sort}
						onSort={(value) => go({ sort: value })}
						selection={selection}
						onToggle={(record, range) =>
							setSelection((now) => (range ? extended(now, record.id, records) : toggled(now, record.id)))
						}
						onToggleAll={() =>
							setSelection((now) =>
								now.ids.size >= records.length
									? nothing
									: { ids: new Set(records.map((record) => record.id)), anchor: null },
							)
						}
						editOf={(id) => edits.of(id)}
						onChange={(record, column, value) =>
							void edits.change(
								record,
								column === null ? { title: String(value), data: new Map() } : { data: new Map([[column, value]]) },
							)
						}
						onEditing={setEditing}
						onOpen={setOpen}
						onLook={(rows) => pages.want(rows)}
					/>
					{error && (
						<div class="grid-alert" role="alert">
							<Icon name="alert" />
							<p>{explain(error)}</p>
							<Button onClick={() => pages.retry()}>{strings.failed.retry}</Button>
						</div>
					)}
					<footer class="grid-foot">
						<p>{text.status(records.length, shown.total)}</p>
						<p class="grid-help">{pages.loading ? text.loadingMore : text.help}</p>
					</footer>
				</div>
			)}

			{typeof open === "object" && (
				<RecordForm
					panel={panel}
					record={records.find((record) => record.id === open.id) ?? open}
					edits={edits}
					onClose={() => setOpen(undefined)}
					onDeleted={(id) => pages.remove(new Set([id]))}
				/>
			)}
			{open === "new" && (
				<RecordForm
					panel={panel}
					onClose={() => setOpen(undefined)}
					onAdded={(record) => {
						if (q === "" && (sort === "-created" || sort === "-updated")) pages.prepend(record);
						else setRound((count) => count + 1);
					}}
				/>
			)}
			{open === "columns" && (
				<ColumnSettings
					panel={panel}
					records={records}
					onClose={() => setOpen(undefined)}
					onSaved={(saved) => {
						setOpen(undefined);
						onPanel(saved);
					}}
				/>
			)}
			{open === "import" && (
				<ImportDialog
					panel={panel}
					onClose={() => setOpen(undefined)}
					onImported={() => {
						setRound((count) => count + 1);
						onReload();
					}}
				/>
			)}
			{open === "delete" && (
				<BulkDeletion
					panel={panel}
					ids={[...selection.ids]}
					onDeleted={(ids) => {
						const gone = new Set(ids);
						pages.remove(gone);
						setSelection((now) => ({ ids: new Set([...now.ids].filter((id) => !gone.has(id))), anchor: null }));
					}}
					onClose={() => setOpen(undefined)}
				/>
			)}
			{conflict?.conflict && (
				<ConflictDialog
					key={conflict.base.id}
					title={conflict.base.title}
					fields={conflict.conflict.fields}
					onKeep={(keep) => edits.resolve(conflict.base.id, keep)}
				/>
			)}
		</section>
	);
}

/** What could not be saved, why, and the two ways on. */
function Unsaved({ edits }: { edits: ReturnType<typeof editsOf> }) {
	const failed = edits.failed();
	const [first] = failed;
	if (!first?.error) return null;
	return (
		<div class="grid-alert" role="alert">
			<Icon name="alert" />
			<p>
				{text.unsaved(failed.length)}. {first.error.fault === "not-found" ? text.gone : explain(first.error)}
			</p>
			<Button onClick={() => edits.retry()}>{text.retryAll}</Button>
			<Button
				kind="quiet"
				onClick={() => {
					for (const edit of failed) edits.discard(edit.base.id);
				}}
			>
				{text.discardAll}
			</Button>
		</div>
	);
}

/** The same array as long as it holds the same names. */
function useStable(names: readonly string[]): readonly string[] {
	const joined = JSON.stringify(names);
	return useMemo(() => JSON.parse(joined) as string[], [joined]);
}
