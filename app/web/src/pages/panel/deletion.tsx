import { useState } from "preact/hooks";
import { service, take } from "../../api/client.ts";
import type { Panel } from "../../api/types.ts";
import { useAction } from "../../state/action.ts";
import { shortly, toast } from "../../state/toasts.ts";
import { strings } from "../../strings.ts";
import { Button } from "../../ui/button.tsx";
import { Dialog, DialogFoot } from "../../ui/dialog.tsx";
import { Progress } from "../../ui/progress.tsx";
import { FormError } from "../../ui/states.tsx";

const text = strings.deletion;

/** The most that one request deletes. */
const batch = 1_000;

interface BulkDeletionProps {
	panel: Panel;
	ids: readonly string[];
	/** Called after each batch with what is gone. */
	onDeleted: (ids: readonly string[]) => void;
	onClose: () => void;
}

/** Asks once, then deletes the selected records batch by batch. */
export function BulkDeletion({ panel, ids, onDeleted, onClose }: BulkDeletionProps) {
	// The selection shrinks while it is worked off; what was asked about stays.
	const [all] = useState(ids);
	const [done, setDone] = useState(0);
	const deletion = useAction(async () => {
		for (let at = done; at < all.length; at += batch) {
			const part = all.slice(at, at + batch);
			await take(
				service.POST("/api/v1/panels/{panel_id}/records/deletions", {
					params: { path: { panel_id: panel.id } },
					body: { ids: part },
				}),
			);
			setDone(at + part.length);
			onDeleted(part);
		}
		toast({ tone: "plain", text: text.deleted(all.length), lasts: shortly });
		onClose();
	});
	return (
		<Dialog title={text.recordsTitle(all.length)} onClose={deletion.busy ? undefined : onClose}>
			<div class="dialog-body">
				<p>{text.recordsText}</p>
				{deletion.busy && all.length > batch && (
					<Progress share={done / all.length} label={text.progress(done, all.length)} />
				)}
				<FormError error={deletion.error} />
				<DialogFoot>
					<Button disabled={deletion.busy} onClick={onClose}>
						{strings.cancel}
					</Button>
					<Button kind="danger" class="button-final" busy={deletion.busy} onClick={() => void deletion.run()}>
						{text.confirm}
					</Button>
				</DialogFoot>
			</div>
		</Dialog>
	);
}
