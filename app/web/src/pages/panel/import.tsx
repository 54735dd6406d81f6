import { useState } from "preact/hooks";
import type { Panel } from "../../api/types.ts";
import { bytes } from "../../format.ts";
import { strings } from "../../strings.ts";
import { Button } from "../../ui/button.tsx";
import { Dialog, DialogFoot } from "../../ui/dialog.tsx";
import { DropZone } from "../../ui/drop-zone.tsx";
import { FormError } from "../../ui/states.tsx";
import { type CsvPreview, previewCsv } from "./csv.ts";
import { Preview } from "./csv-preview.tsx";
import { importCsv, mostColumns } from "./import-run.ts";

const text = strings.import;

/** How much of the file is read for the look before the import. */
const previewBytes = 64 << 10;
const previewRows = 4;

interface ImportDialogProps {
	panel: Panel;
	onClose: () => void;
	onImported: () => void;
}

/** Shows what is in a CSV file, then imports it in the background: all of it or nothing. */
export default function ImportDialog({ panel, onClose, onImported }: ImportDialogProps) {
	const [chosen, setChosen] = useState<{ file: File; preview: CsvPreview }>();
	const [showThem, setShowThem] = useState(true);
	const choose = async ([file]: File[]) => {
		if (!file) return;
		const head = await file.slice(0, previewBytes).text();
		setChosen({ file, preview: previewCsv(head, previewRows, file.size <= previewBytes) });
	};
	const header = chosen?.preview.header ?? [];
	const shown = panel.columns ?? [];
	const fields = header.filter((name) => name !== "" && name !== "title");
	const fresh = fields.filter((name) => !shown.includes(name)).slice(0, mostColumns - shown.length);
	const hasTitle = header.includes("title");
	return (
		<Dialog title={text.title} size="middle" onClose={onClose}>
			<div class="dialog-body">
				<p class="lead">{text.lead}</p>
				{!chosen ? (
					<DropZone
						accept=".csv,text/csv"
						label={text.choose}
						hint={text.drop}
						onFiles={(files) => void choose(files)}
					/>
				) : (
					<>
						<p>
							<strong>{chosen.file.name}</strong> <span class="hint">{bytes(chosen.file.size)}</span>{" "}
							<button type="button" class="link" onClick={() => setChosen(undefined)}>
								{text.another}
							</button>
						</p>
						{header.length === 0 ? <FormError>{text.empty}</FormError> : <Preview preview={chosen.preview} />}
						{header.length > 0 && !hasTitle && <FormError>{text.noTitle}</FormError>}
						{hasTitle && fresh.length > 0 && (
							<label class="check">
								<input
									type="checkbox"
									class="checkbox"
									checked={showThem}
									onChange={(event) => setShowThem(event.currentTarget.checked)}
								/>
								<span>{text.showColumns(fresh)}</span>
							</label>
						)}
					</>
				)}
				<DialogFoot>
					<Button onClick={onClose}>{strings.cancel}</Button>
					{chosen && (
						<Button
							kind="primary"
							icon="upload"
							disabled={!hasTitle}
							onClick={() => {
								void importCsv(panel, chosen.file, showThem ? fresh : [], onImported);
								onClose();
							}}
						>
							{text.start}
						</Button>
					)}
				</DialogFoot>
			</div>
		</Dialog>
	);
}
