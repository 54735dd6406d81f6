import { strings } from "../../strings.ts";
import type { CsvPreview } from "./csv.ts";

/** The first rows of a CSV file as a table. */
export function Preview({ preview }: { preview: CsvPreview }) {
	const width = preview.header.map((_, column) => column);
	return (
		// biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard.
		<section class="csv-preview" tabIndex={0} aria-label={strings.import.preview}>
			<table>
				<thead>
					<tr>
						{width.map((column) => (
							<th scope="col" key={column}>
								{preview.header[column]}
							</th>
						))}
					</tr>
				</thead>
				<tbody>
					{preview.rows.map((row) => (
						<tr key={row.join()}>
							{width.map((column) => (
								<td key={column}>{row[column]}</td>
							))}
						</tr>
					))}
				</tbody>
			</table>
		</section>
	);
}
