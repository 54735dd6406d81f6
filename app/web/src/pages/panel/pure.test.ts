import { describe, expect, test } from "vitest";
import { hiddenFields, moved, parseColumns } from "../panels/columns.ts";
import { hasTitle, previewCsv } from "./csv.ts";
import { changesOf, draftOf } from "./record-draft.ts";
import { extended, nothing, toggled } from "./selection.ts";
import { read, same, show } from "./values.ts";
import { overscan, rowsToLayOut, rowWindow, tallest } from "./window.ts";

describe("a cell's value", () => {
	test.each([
		[undefined, ""],
		[null, ""],
		["text", "text"],
		[0, "0"],
		[false, "false"],
		[{ a: [1] }, '{"a":[1]}'],
	])("%o is shown as %s", (value, shown) => expect(show(value)).toBe(shown));

	test.each([
		["x", undefined, { value: "x" }],
		["", undefined, { value: undefined }],
		["", "text", { value: "" }],
		[" 4.5 ", 3, { value: 4.5 }],
		["", 3, { value: null }],
		["four", 3, { expected: "number" }],
		["true", false, { value: true }],
		["yes", false, { expected: "boolean" }],
		["[1,2]", { a: 1 }, { value: [1, 2] }],
		["[1,", { a: 1 }, { expected: "object" }],
	])("%o typed over %o gives %o", (typed, before, reading) => expect(read(typed, before)).toEqual(reading));

	test("is the same JSON whatever the order of keys", () => {
		expect(same({ a: 1, b: [1, { c: 2 }] }, { b: [1, { c: 2 }], a: 1 })).toBe(true);
		expect(same([1, 2], [2, 1])).toBe(false);
		expect(same([], {})).toBe(false);
		expect(same("1", 1)).toBe(false);
		expect(same(undefined, null)).toBe(true);
	});

	test("is the same only in fields of its own", () => {
		expect(same({ constructor: null }, {})).toBe(true);
		expect(same(JSON.parse('{"__proto__":{}}'), {})).toBe(false);
	});
});

describe("rows that are drawn", () => {
	test("are those in sight and a few around", () => {
		expect(rowWindow(0, 400, 40, 100_000)).toEqual({ first: 0, last: 10 + overscan });
		expect(rowWindow(40_000, 400, 40, 100_000)).toEqual({ first: 1_000 - overscan, last: 1_010 + overscan });
	});

	test("end where the rows end, even after the list became shorter", () => {
		expect(rowWindow(40_000, 400, 40, 5)).toEqual({ first: 5, last: 5 });
	});

	test("take no more room than browsers lay out exactly", () => {
		expect(rowsToLayOut(100_000, 200, 44)).toBe(100_000);
		expect(rowsToLayOut(1_000_000, 200, 44)).toBe(Math.floor(tallest / 44));
		expect(rowsToLayOut(1_000_000, 900_000, 44)).toBe(900_001);
	});
});

describe("a selection", () => {
	const order = ["a", "b", "c", "d"].map((id) => ({ id }));

	test("takes in and out", () => {
		const one = toggled(nothing, "b");
		expect([...one.ids]).toEqual(["b"]);
		expect([...toggled(one, "b").ids]).toEqual([]);
	});

	test("extends from the last touched record, either way", () => {
		expect([...extended(toggled(nothing, "b"), "d", order).ids]).toEqual(["b", "c", "d"]);
		expect([...extended(toggled(nothing, "c"), "a", order).ids]).toEqual(["c", "a", "b"]);
	});

	test("without a beginning, a range is one record", () => {
		expect([...extended(nothing, "c", order).ids]).toEqual(["c"]);
	});
});

describe("a look at CSV", () => {
	test("reads quotes, commas and line breaks inside them, and a byte order mark", () => {
		const text = '\uFEFFtitle,note\r\n"Ada, Countess","said ""go"""\r\nGrace,"two\nlines"\r\n';
		expect(previewCsv(text, 5, true)).toEqual({
			header: ["title", "note"],
			rows: [
				["Ada, Countess", 'said "go"'],
				["Grace", "two\nlines"],
			],
		});
	});

	test("leaves out a row that the cut went through, unless there was no cut", () => {
		expect(previewCsv("title\na\nhal", 5, false).rows).toEqual([["a"]]);
		expect(previewCsv("title\na\nhalf", 5, true).rows).toEqual([["a"], ["half"]]);
	});

	test("stops after so many rows, skips empty lines, and knows an empty file", () => {
		expect(previewCsv("title\n\na\nb\nc\n", 2, true).rows).toEqual([["a"], ["b"]]);
		expect(previewCsv("", 2, true)).toEqual({ header: [], rows: [] });
	});

	test.each([
		[["title", "a"], true],
		[["a", "Title"], true],
		[[" TITLE "], true],
		[["titles", "data.title"], false],
		[[], false],
	])("in the header %j there is a title: %s", (header, expected) => {
		expect(hasTitle(header)).toBe(expected);
	});
});

describe("columns", () => {
	test("are read from a list, none empty and none twice", () => {
		expect(parseColumns(" a, b ,,a,")).toEqual(["a", "b"]);
	});

	test("move", () => {
		expect(moved(["a", "b", "c"], 2, 0)).toEqual(["c", "a", "b"]);
		expect(moved(["a"], 5, 0)).toEqual(["a"]);
	});

	test("that are hidden are offered, the most frequent first", () => {
		const records = [{ data: { a: 1, b: 1 } }, { data: { b: 1, c: 1 } }];
		expect(hiddenFields(records, ["c"])).toEqual(["b", "a"]);
	});
});

describe("a record's form", () => {
	const base = {
		id: "1",
		title: "Ada",
		data: { born: 1815, city: "London", extra: "x" },
		version: 3,
		created_at: "",
		updated_at: "",
	};

	test("has the panel's columns first, then the record's other fields", () => {
		expect(draftOf(base, ["city", "phone"]).fields).toEqual([
			{ name: "city", text: "London" },
			{ name: "phone", text: "" },
			{ name: "born", text: "1815" },
			{ name: "extra", text: "x" },
		]);
	});

	test("sends only what changed, in its own kind, and what was removed", () => {
		const draft = draftOf(base, []);
		draft.title = " Ada L. ";
		draft.fields = [
			{ name: "born", text: "1816" },
			{ name: "city", text: "London" },
		];
		const read = changesOf(draft);
		expect(read).toEqual({
			changes: {
				title: "Ada L.",
				data: new Map<string, unknown>([
					["born", 1816],
					["extra", undefined],
				]),
			},
		});
	});

	test("says which field cannot be read", () => {
		const draft = draftOf(base, []);
		draft.fields = draft.fields.map((field) => (field.name === "born" ? { ...field, text: "long ago" } : field));
		expect(changesOf(draft)).toEqual({ faults: new Map([["born", "number"]]) });
	});

	test.each(["constructor", "toString", "valueOf", "__proto__"])("has nothing in a column called %s", (name) => {
		for (const record of [null, base]) {
			const draft = draftOf(record, [name]);
			expect(draft.fields[0]).toEqual({ name, text: "" });
			expect(changesOf(draft)).toMatchObject({ changes: { data: new Map() } });
		}
		const draft = draftOf(base, [name]);
		draft.fields[0] = { name, text: "typed" };
		expect(changesOf(draft)).toEqual({ changes: { data: new Map([[name, "typed"]]) } });
	});

	test("sends what was not saved when it was opened, and what it takes back of that", () => {
		const meant = { title: "Ada L.", data: { born: 1816, city: "London", extra: "x", phone: "1" } };
		const draft = draftOf(base, [], meant);
		expect(changesOf(draft)).toEqual({
			changes: {
				title: "Ada L.",
				data: new Map<string, unknown>([
					["born", 1816],
					["phone", "1"],
				]),
			},
		});
		draft.title = "Ada";
		draft.fields = draftOf(base, []).fields;
		expect(changesOf(draft)).toEqual({
			changes: {
				title: "Ada",
				data: new Map<string, unknown>([
					["born", 1815],
					["phone", undefined],
				]),
			},
		});
	});
});
