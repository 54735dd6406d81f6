/** The beginning of a CSV file, for a look before it is imported. */
export interface CsvPreview {
	header: string[];
	rows: string[][];
}

/** Reads the header and the first rows of CSV as RFC 4180 writes it. A last row that is cut off is left out. */
export function previewCsv(text: string, rows: number, complete: boolean): CsvPreview {
	const table: string[][] = [];
	let row: string[] = [];
	let field = "";
	let quoted = false;
	const source = text.startsWith("\uFEFF") ? text.slice(1) : text;
	const endRow = () => {
		row.push(field);
		field = "";
		if (row.length > 1 || row[0] !== "") table.push(row);
		row = [];
	};
	for (let at = 0; at < source.length && table.length <= rows; at++) {
		const character = source[at] as string;
		if (quoted) {
			if (character !== '"') field += character;
			else if (source[at + 1] === '"') field += source[at++];
			else quoted = false;
		} else if (character === '"' && field === "") quoted = true;
		else if (character === ",") {
			row.push(field);
			field = "";
		} else if (character === "\n") endRow();
		else if (character !== "\r") field += character;
	}
	if (complete && table.length <= rows && (field !== "" || row.length > 0)) endRow();
	const [header = [], ...rest] = table;
	return { header: header.map((name) => name.trim()), rows: rest.slice(0, rows) };
}

/** Whether the service finds the title of each record under this header: "Title" will do as well. */
export function hasTitle(header: readonly string[]): boolean {
	return header.some((name) => name.trim().toLowerCase() === "title");
}
