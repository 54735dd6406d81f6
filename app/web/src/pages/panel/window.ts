/** The rows of a long list that are worth drawing: those in sight and a few around them. Last is exclusive. */
export interface RowWindow {
	first: number;
	last: number;
}

/** Rows drawn beyond the edges, so that a scroll shows rows and not their absence. */
export const overscan = 10;

/** The tallest list that browsers lay out exactly, in pixels; beyond it a list grows as it is read. */
export const tallest = 15_000_000;

/** Which rows to draw for a scroll position; heights are in pixels. */
export function rowWindow(scrollTop: number, height: number, rowHeight: number, rows: number): RowWindow {
	const first = Math.max(0, Math.floor(scrollTop / rowHeight) - overscan);
	const last = Math.min(rows, Math.ceil((scrollTop + height) / rowHeight) + overscan);
	return { first: Math.min(first, rows), last };
}

/** How many rows a list takes room for, when so many are known of and so many loaded. */
export function rowsToLayOut(known: number, loaded: number, rowHeight: number): number {
	const most = Math.floor(tallest / rowHeight);
	return Math.min(known, Math.max(most, loaded + 1));
}
