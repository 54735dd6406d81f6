import { digitsOf, parseExact } from "../../api/exact.ts";

/** A value of a record's document: any JSON. */
export type Value = unknown;

/** A field of a record's document. It may be called like something that every object inherits, such as "constructor". */
export function fieldOf(data: Readonly<Record<string, Value>> | undefined, name: string): Value {
	return data !== undefined && Object.hasOwn(data, name) ? data[name] : undefined;
}

/** What a cell shows of a value. */
export function show(value: Value): string {
	if (value === undefined || value === null) return "";
	return digitsOf(value) ?? (typeof value === "object" ? JSON.stringify(value) : String(value));
}

/** The kinds of values that what is typed must keep to. */
export type Kind = "number" | "boolean" | "object";

export type Reading = { value: Value } | { expected: Kind };

/**
 * Reads what was typed over a value. A field keeps its kind: a number stays a number, so that whoever reads the data by
 * the API is not surprised. A field that was empty or text takes any text.
 */
export function read(text: string, before: Value): Reading {
	if (before === undefined || before === null) return { value: text === "" ? before : text };
	const typed = text.trim();
	switch (digitsOf(before) === undefined ? typeof before : "number") {
		case "number":
			if (typed === "") return { value: null };
			return Number.isFinite(Number(typed)) ? { value: numberOf(typed) } : { expected: "number" };
		case "boolean":
			if (typed === "") return { value: null };
			if (typed === "true" || typed === "false") return { value: typed === "true" };
			return { expected: "boolean" };
		case "object":
			if (typed === "") return { value: null };
			try {
				return { value: parseExact(typed) };
			} catch {
				return { expected: "object" };
			}
		default:
			return { value: text };
	}
}

/** A number as it was typed, with all its digits, if it is written as JSON writes numbers. */
function numberOf(typed: string): Value {
	try {
		return parseExact(typed);
	} catch {
		return Number(typed);
	}
}

/** Whether two values are the same JSON; the order of an object's keys does not count. */
export function same(a: Value, b: Value): boolean {
	if (a === b || (a ?? null) === (b ?? null)) return true;
	if (digitsOf(a) !== undefined || digitsOf(b) !== undefined) return digitsOf(a) === digitsOf(b);
	if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
	if (Array.isArray(a) !== Array.isArray(b)) return false;
	const left = a as Record<string, Value>;
	const right = b as Record<string, Value>;
	const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
	return [...keys].every((key) => same(fieldOf(left, key), fieldOf(right, key)));
}
