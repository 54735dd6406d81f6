import { useEffect, useRef } from "preact/hooks";
import { root } from "../../api/client.ts";
import type { Panel, StoredFile } from "../../api/types.ts";
import { bytes } from "../../format.ts";
import { strings } from "../../strings.ts";
import { IconButton } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Icon } from "../../ui/icon.tsx";

const text = strings.files;

/** The types that the service serves for showing; it sniffs them itself, and anything else is a download. */
const images = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

/** Larger images get no thumbnail in the list: it would be the whole file. In bytes. */
export const thumbnailLimit = 1_000_000;

export const isImage = (file: StoredFile) => images.has(file.content_type);

export function contentAddress(panelID: string, file: StoredFile, disposition: "inline" | "attachment"): string {
	return `${root}/panels/${panelID}/files/${file.id}/content?disposition=${disposition}`;
}

interface LightboxProps {
	panel: Panel;
	images: readonly StoredFile[];
	shown: StoredFile;
	onShow: (file: StoredFile) => void;
	onClose: () => void;
}

/** One image at its size, or the window's; arrow keys lead to the others. */
export function Lightbox({ panel, images: all, shown, onShow, onClose }: LightboxProps) {
	const at = all.findIndex((file) => file.id === shown.id);
	const to = (step: number) => {
		const other = all[(at + step + all.length) % all.length];
		if (other) onShow(other);
	};
	const turn = useRef(to);
	turn.current = to;
	useEffect(() => {
		const onKey = (event: KeyboardEvent) => {
			if (event.key === "ArrowLeft") turn.current(-1);
			else if (event.key === "ArrowRight") turn.current(1);
		};
		addEventListener("keydown", onKey);
		return () => removeEventListener("keydown", onKey);
	}, []);
	return (
		<Dialog title={shown.name} size="wide" onClose={onClose}>
			<div class="lightbox">
				<img key={shown.id} src={contentAddress(panel.id, shown, "inline")} alt={shown.name} />
				<div class="lightbox-tools">
					{all.length > 1 && (
						<IconButton icon="chevron" class="turn-left" label={text.previous} onClick={() => to(-1)} />
					)}
					<span class="hint">{bytes(shown.size_bytes)}</span>
					<a class="button" href={contentAddress(panel.id, shown, "attachment")} download={shown.name}>
						<Icon name="download" />
						{strings.export.download}
					</a>
					{all.length > 1 && <IconButton icon="chevron" class="turn-right" label={text.next} onClick={() => to(1)} />}
				</div>
			</div>
		</Dialog>
	);
}
