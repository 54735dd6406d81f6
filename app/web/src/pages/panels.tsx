import { useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { service, take } from "../api/client.ts";
import type { Panel } from "../api/types.ts";
import { deletedPanels } from "../state/deleted-panels.ts";
import { useResource } from "../state/resource.ts";
import { strings } from "../strings.ts";
import { Button } from "../ui/button.tsx";
import { ChoiceField } from "../ui/choice-field.tsx";
import { Menu } from "../ui/menu.tsx";
import { More } from "../ui/more.tsx";
import { PageHead } from "../ui/page.tsx";
import { SearchField } from "../ui/search-field.tsx";
import { Empty, Failed, LoadingRows } from "../ui/states.tsx";
import { Time } from "../ui/time.tsx";
import { PanelForm } from "./panels/form.tsx";
import { removePanel, restorePanel } from "./panels/removal.ts";

const text = strings.panels;
const defaultSort = "-updated";
type Sort = keyof typeof text.sorts;

interface Page {
	items: Panel[];
	next: string | undefined;
}

async function fetchPage(q: string, sort: Sort, cursor?: string, signal?: AbortSignal): Promise<Page> {
	const query = { sort, limit: 50, ...(q && { q }), ...(cursor && { cursor }) };
	const page = await take(service.GET("/api/v1/panels", { params: { query }, signal: signal ?? null }));
	return { items: page.items ?? [], next: page.next_cursor };
}

/** All panels of the person: found by name, sorted, made, renamed, deleted and brought back. */
export default function Panels() {
	const { query, route } = useLocation();
	const q = query.q ?? "";
	const sort = query.sort && query.sort in text.sorts ? (query.sort as Sort) : defaultSort;
	const [form, setForm] = useState<"new" | Panel>();
	const panels = useResource(`panels?${sort}&${q}`, (signal) => fetchPage(q, sort, undefined, signal));
	const go = (next: { q?: string; sort?: Sort }) => {
		const wanted = { q, sort, ...next };
		const search = new URLSearchParams({
			...(wanted.q && { q: wanted.q }),
			...(wanted.sort !== defaultSort && { sort: wanted.sort }),
		});
		route(search.size > 0 ? `/panels?${search}` : "/panels", true);
	};

	const { data, error } = panels;
	const nothing = data?.items.length === 0;
	return (
		<div class="page">
			<PageHead title={text.title}>
				<Button kind="primary" icon="add" onClick={() => setForm("new")}>
					{text.create}
				</Button>
			</PageHead>
			{!(nothing && q === "") && (
				<div class="toolbar">
					<SearchField label={text.searchLabel} value={q} onSearch={(value) => go({ q: value })} />
					<ChoiceField
						label={text.sortLabel}
						value={sort}
						choices={text.sorts}
						onChoose={(value) => go({ sort: value })}
					/>
				</div>
			)}
			{error && !data ? (
				<Failed error={error} retry={panels.reload} />
			) : !data ? (
				<LoadingRows rows={6} />
			) : nothing && q !== "" ? (
				<Empty icon="search" title={text.noMatchTitle} text={text.noMatchText(q)}>
					<Button onClick={() => go({ q: "" })}>{text.clearSearch}</Button>
				</Empty>
			) : nothing ? (
				<Empty icon="panels" title={text.emptyTitle} text={text.emptyText}>
					<Button kind="primary" icon="add" onClick={() => setForm("new")}>
						{text.create}
					</Button>
				</Empty>
			) : (
				<ul class="panel-list" aria-busy={panels.loading}>
					{data.items.map((panel) => (
						<PanelItem
							key={panel.id}
							panel={panel}
							onEdit={() => setForm(panel)}
							onRemove={() => {
								panels.replace({ ...data, items: data.items.filter((one) => one.id !== panel.id) });
								void removePanel(panel, panels.reload).then(panels.reload);
							}}
						/>
					))}
				</ul>
			)}
			{data?.next && (
				<More
					key={data.next}
					next={data.next}
					load={(cursor) => fetchPage(q, sort, cursor)}
					page={data}
					add={panels.replace}
				/>
			)}
			<RecentlyDeleted onRestored={panels.reload} />
			{form && (
				<PanelForm
					panel={form === "new" ? undefined : form}
					onClose={() => setForm(undefined)}
					onSaved={(saved, created) => {
						setForm(undefined);
						if (created) route(`/panels/${saved.id}`);
						else panels.reload();
					}}
				/>
			)}
		</div>
	);
}

function PanelItem({ panel, onEdit, onRemove }: { panel: Panel; onEdit: () => void; onRemove: () => void }) {
	const columns = panel.columns ?? [];
	return (
		<li class="panel-item">
			<div class="panel-item-text">
				<a class="panel-item-name" href={`/panels/${panel.id}`}>
					{panel.name}
				</a>
				{panel.description && <p class="panel-item-description">{panel.description}</p>}
				<p class="panel-item-columns">{columns.length > 0 ? text.columnsOf(columns) : text.noColumns}</p>
			</div>
			<p class="panel-item-time">
				{text.updated} <Time at={panel.updated_at} />
			</p>
			<Menu
				label={text.actions(panel.name)}
				items={[
					{ label: text.rename, icon: "edit", run: onEdit },
					{ label: text.remove, icon: "trash", danger: true, run: onRemove },
				]}
			/>
		</li>
	);
}

function RecentlyDeleted({ onRestored }: { onRestored: () => void }) {
	const deleted = deletedPanels();
	if (deleted.length === 0) return null;
	return (
		<details class="recently-deleted">
			<summary>{text.recentlyDeleted}</summary>
			<p class="hint">{text.recentlyDeletedHint}</p>
			<ul>
				{deleted.map((panel) => (
					<li key={panel.id}>
						<span>{panel.name}</span>
						<Button kind="quiet" icon="undo" onClick={() => void restorePanel(panel, onRestored)}>
							{text.restore}
							<span class="visually-hidden"> {panel.name}</span>
						</Button>
					</li>
				))}
			</ul>
		</details>
	);
}
