import { useState } from "preact/hooks";
import { useLocation, useRoute } from "preact-iso";
import { service, take } from "../api/client.ts";
import type { Panel } from "../api/types.ts";
import { useResource } from "../state/resource.ts";
import { strings } from "../strings.ts";
import { Icon } from "../ui/icon.tsx";
import { lazy } from "../ui/lazy.tsx";
import { Menu } from "../ui/menu.tsx";
import { PageHead } from "../ui/page.tsx";
import { Tabs } from "../ui/shell.tsx";
import { Failed, LoadingRows } from "../ui/states.tsx";
import NotFound from "./not-found.tsx";
import { Records } from "./panel/records.tsx";
import { PanelForm } from "./panels/form.tsx";
import { removePanel } from "./panels/removal.ts";

const Files = lazy(() => import("./panel/files.tsx"));

const text = strings.panel;

/** One panel: its records and its files. */
export default function PanelPage() {
	const { params } = useRoute();
	const { route } = useLocation();
	const id = params.id ?? "";
	const part = params.part ?? "records";
	const [renaming, setRenaming] = useState(false);
	const panel = useResource(`panels/${id}`, (signal) =>
		take(service.GET("/api/v1/panels/{panel_id}", { params: { path: { panel_id: id } }, signal })),
	);
	const { data, error } = panel;

	// An id that is none at all is refused as invalid; for the person it is the same as one that leads nowhere.
	const nowhere = error?.fault === "not-found" || error?.fault === "invalid";
	if (nowhere || (part !== "records" && part !== "files")) return <NotFound />;
	if (error && !data) {
		return (
			<div class="page">
				<Failed error={error} retry={panel.reload} />
			</div>
		);
	}
	return (
		<div class={part === "records" ? "page-panel page-fill" : "page-panel"} key={id}>
			<PageHead
				title={data?.name ?? strings.loading}
				above={
					<a class="back" href="/panels">
						<Icon name="chevron" size={15} />
						{text.back}
					</a>
				}
				below={data?.description && <p class="lead lead-line">{data.description}</p>}
			>
				<Menu
					label={text.more}
					items={[
						{ label: text.details, icon: "edit", run: () => data && setRenaming(true) },
						{ label: text.remove, icon: "trash", danger: true, run: () => data && void remove(data, route) },
					]}
				/>
			</PageHead>
			<Tabs
				label={text.tabs}
				tabs={[
					{ href: `/panels/${id}`, label: text.records },
					{ href: `/panels/${id}/files`, label: text.files },
				]}
			/>
			{!data ? (
				<LoadingRows rows={8} />
			) : part === "files" ? (
				<Files panel={data} />
			) : (
				<Records panel={data} onPanel={panel.replace} onReload={panel.reload} />
			)}
			{renaming && data && (
				<PanelForm
					panel={data}
					onClose={() => setRenaming(false)}
					onSaved={(saved) => {
						setRenaming(false);
						panel.replace(saved);
					}}
				/>
			)}
		</div>
	);
}

/** Deletes the panel and leaves its page; the undo leads back to it. */
async function remove(panel: Panel, route: (url: string) => void): Promise<void> {
	if (await removePanel(panel, () => route(`/panels/${panel.id}`))) route("/panels");
}
