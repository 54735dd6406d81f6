/**
 * JSON whose numbers keep all their digits. A record's document may hold numbers that JavaScript's own cannot, such as
 * 12345678901234567890; read and written back as a whole, it must not change in a field that nobody touched. Such a number
 * is kept as its text (JSON.rawJSON); browsers that do not know that round it, as they always have.
 */
interface ExactJSON {
	rawJSON?: (text: string) => unknown;
	isRawJSON?: (value: unknown) => value is { rawJSON: string };
}

const { rawJSON, isRawJSON } = JSON as unknown as ExactJSON;

export function parseExact(text: string): unknown {
	if (!rawJSON) return JSON.parse(text);
	return JSON.parse(text, ((_key: string, value: unknown, context?: { source?: string }) => {
		const source = context?.source;
		return typeof value === "number" && source !== undefined && String(value) !== source ? rawJSON(source) : value;
	}) as (key: string, value: unknown) => unknown);
}

/** The text of a number that is kept as text; undefined for any other value. */
export function digitsOf(value: unknown): string | undefined {
	return isRawJSON?.(value) ? value.rawJSON : undefined;
}
