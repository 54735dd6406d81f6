import { useEffect, useMemo, useState } from "preact/hooks";
import { service, take } from "../../api/client.ts";
import type { Panel, StoredFile } from "../../api/types.ts";
import { storeFile } from "../../api/upload.ts";
import { bytes } from "../../format.ts";
import { useAction } from "../../state/action.ts";
import { useResource } from "../../state/resource.ts";
import { whenSignedOut } from "../../state/session.ts";
import { shortly, toast } from "../../state/toasts.ts";
import { explain, strings } from "../../strings.ts";
import { Button, IconButton } from "../../ui/button.tsx";
import { Dialog, DialogFoot } from "../../ui/dialog.tsx";
import { DropZone } from "../../ui/drop-zone.tsx";
import { Icon } from "../../ui/icon.tsx";
import { More } from "../../ui/more.tsx";
import { Progress } from "../../ui/progress.tsx";
import { Failed, FormError, LoadingRows } from "../../ui/states.tsx";
import { Time } from "../../ui/time.tsx";
import { contentAddress, isImage, Lightbox, thumbnailLimit } from "./lightbox.tsx";
import { type Upload, Uploads } from "./uploads.ts";

const text = strings.files;

interface Page {
	items: StoredFile[];
	next: string | undefined;
}

async function fetchPage(panelID: string, cursor?: string, signal?: AbortSignal): Promise<Page> {
	const query = { limit: 50, ...(cursor && { cursor }) };
	const path = { panel_id: panelID };
	const page = await take(
		service.GET("/api/v1/panels/{panel_id}/files", { params: { path, query }, signal: signal ?? null }),
	);
	return { items: page.items ?? [], next: page.next_cursor };
}

const kept = new Map<string, Uploads>();
whenSignedOut(() => {
	for (const uploads of kept.values()) for (const one of uploads.list.value) uploads.cancel(one.id);
	kept.clear();
});
addEventListener("beforeunload", (event) => {
	if ([...kept.values()].some((uploads) => uploads.list.value.length > 0)) event.preventDefault();
});

/** The uploads of a panel go on while the person is elsewhere in the panel. */
function uploadsOf(panelID: string): Uploads {
	const known = kept.get(panelID);
	if (known) return known;
	const uploads = new Uploads((one, onProgress) =>
		storeFile(panelID, one.file, { ticket: one.ticket, signal: one.aborter.signal, onProgress }),
	);
	kept.set(panelID, uploads);
	return uploads;
}

/** The files of a panel: brought in by drag and drop or choice, looked at, taken out, deleted. */
export default function Files({ panel }: { panel: Panel }) {
	const files = useResource(`panels/${panel.id}/files`, (signal) => fetchPage(panel.id, undefined, signal));
	const [shown, setShown] = useState<StoredFile>();
	const [doomed, setDoomed] = useState<StoredFile>();
	const uploads = useMemo(() => uploadsOf(panel.id), [panel.id]);
	const { data, error } = files;

	useEffect(
		() =>
			uploads.listen((file) => {
				toast({ tone: "good", text: text.uploaded(file.name), lasts: shortly });
				files.reload();
			}),
		[uploads, files.reload],
	);

	const images = data?.items.filter(isImage) ?? [];
	return (
		<section class="files" aria-label={text.list}>
			<DropZone label={text.choose} hint={text.drop} multiple onFiles={(list) => uploads.add(list)} />
			{uploads.list.value.length > 0 && (
				<ul class="upload-list">
					{uploads.list.value.map((one) => (
						<UploadItem key={one.id} upload={one} uploads={uploads} />
					))}
				</ul>
			)}
			{error && !data ? (
				<Failed error={error} retry={files.reload} />
			) : !data ? (
				<LoadingRows rows={4} />
			) : data.items.length === 0 ? (
				<p class="files-none">
					<strong>{text.emptyTitle}.</strong> {text.emptyText}
				</p>
			) : (
				<table class="table files-table">
					<thead>
						<tr>
							<th scope="col">{text.name}</th>
							<th scope="col" class="cell-number">
								{text.size}
							</th>
							<th scope="col" class="cell-extra">
								{text.added}
							</th>
							<th scope="col">
								<span class="visually-hidden">{strings.panels.actions(text.list)}</span>
							</th>
						</tr>
					</thead>
					<tbody>
						{data.items.map((file) => (
							<FileRow
								key={file.id}
								panel={panel}
								file={file}
								onShow={() => setShown(file)}
								onRemove={() => setDoomed(file)}
							/>
						))}
					</tbody>
				</table>
			)}
			{data?.next && (
				<More
					key={data.next}
					next={data.next}
					load={(cursor) => fetchPage(panel.id, cursor)}
					page={data}
					add={files.replace}
				/>
			)}
			{shown && (
				<Lightbox panel={panel} images={images} shown={shown} onShow={setShown} onClose={() => setShown(undefined)} />
			)}
			{doomed && data && (
				<FileDeletion
					panel={panel}
					file={doomed}
					onClose={() => setDoomed(undefined)}
					onDeleted={() => {
						setDoomed(undefined);
						files.replace({ ...data, items: data.items.filter((file) => file.id !== doomed.id) });
					}}
				/>
			)}
		</section>
	);
}

interface FileRowProps {
	panel: Panel;
	file: StoredFile;
	onShow: () => void;
	onRemove: () => void;
}

function FileRow({ panel, file, onShow, onRemove }: FileRowProps) {
	const image = isImage(file);
	return (
		<tr>
			<td>
				<span class="file-name">
					<span class="thumbnail">
						{image && file.size_bytes <= thumbnailLimit ? (
							<img
								src={contentAddress(panel.id, file, "inline")}
								alt=""
								width={40}
								height={40}
								loading="lazy"
								decoding="async"
							/>
						) : (
							<Icon name={image ? "image" : "file"} />
						)}
					</span>
					{image ? (
						<button type="button" class="link" onClick={onShow} aria-label={text.preview(file.name)}>
							{file.name}
						</button>
					) : (
						<span>{file.name}</span>
					)}
				</span>
			</td>
			<td class="cell-number">{bytes(file.size_bytes)}</td>
			<td class="cell-extra">
				<Time at={file.created_at} />
			</td>
			<td class="cell-actions">
				<a
					class="icon-button"
					href={contentAddress(panel.id, file, "attachment")}
					download={file.name}
					aria-label={text.download(file.name)}
					title={text.download(file.name)}
				>
					<Icon name="download" />
				</a>
				<IconButton icon="trash" label={text.remove(file.name)} onClick={onRemove} />
			</td>
		</tr>
	);
}

function UploadItem({ upload: one, uploads }: { upload: Upload; uploads: Uploads }) {
	const reason = one.error && (one.error.fault === "too-large" ? text.tooLarge : explain(one.error));
	return (
		<li class="upload">
			<div class="upload-text">
				<p>
					<strong>{one.file.name}</strong> <span class="hint">{bytes(one.file.size)}</span>
				</p>
				{reason ? (
					<p class="field-error" role="alert">
						{reason}
					</p>
				) : one.state === "waiting" ? (
					<p class="hint">{text.waiting}</p>
				) : (
					<Progress share={one.share} label={strings.import.uploading(one.file.name)} />
				)}
			</div>
			{one.state === "failed" && (
				<IconButton icon="retry" label={text.retryUpload(one.file.name)} onClick={() => uploads.retry(one.id)} />
			)}
			<IconButton icon="close" label={text.cancelUpload(one.file.name)} onClick={() => uploads.cancel(one.id)} />
		</li>
	);
}

interface FileDeletionProps {
	panel: Panel;
	file: StoredFile;
	onClose: () => void;
	onDeleted: () => void;
}

function FileDeletion({ panel, file, onClose, onDeleted }: FileDeletionProps) {
	const deletion = useAction(async () => {
		const path = { panel_id: panel.id, file_id: file.id };
		await take(service.DELETE("/api/v1/panels/{panel_id}/files/{file_id}", { params: { path } }));
		toast({ tone: "plain", text: strings.deletion.fileDeleted(file.name), lasts: shortly });
		onDeleted();
	});
	return (
		<Dialog title={strings.deletion.fileTitle(file.name)} onClose={onClose}>
			<div class="dialog-body">
				<p>{strings.deletion.fileText}</p>
				<FormError error={deletion.error} />
				<DialogFoot>
					<Button onClick={onClose}>{strings.cancel}</Button>
					<Button kind="danger" class="button-final" busy={deletion.busy} onClick={() => void deletion.run()}>
						{strings.deletion.confirm}
					</Button>
				</DialogFoot>
			</div>
		</Dialog>
	);
}
