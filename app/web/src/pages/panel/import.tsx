import { useState } from "preact/hooks";
import type { Panel } from "../../api/types.ts";
import { bytes } from "../../format.ts";
import { strings } from "../../strings.ts";
import { Button } from "../../ui/button.tsx";
import { Dialog, DialogFoot } from "../../ui/dialog.tsx";
import { DropZone } from "../../ui/drop-zone.tsx";
import { FormError } from "../../ui/states.tsx";
import { type CsvPreview, hasTitle, previewCsv } from "./csv.ts";
import { Preview } from "./csv-preview.tsx";
import { importCsv } from "./import-run.ts";

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
	const choose = async ([file]: File[]) => {
		if (!file) return;
		const head = await file.slice(0, previewBytes).text();
		setChosen({ file, preview: previewCsv(head, previewRows, file.size <= previewBytes) });
	};
	const header = chosen?.preview.header ?? [];
	const titled = hasTitle(header);
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
						{header.length > 0 && !titled && <FormError>{text.noTitle}</FormError>}
					</>
				)}
				<DialogFoot>
					<Button onClick={onClose}>{strings.cancel}</Button>
					{chosen && (
						<Button
							kind="primary"
							icon="upload"
							disabled={!titled}
							onClick={() => {
								void importCsv(panel, chosen.file, onImported);
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
