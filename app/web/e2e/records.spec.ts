import { readFile } from "node:fs/promises";
import type { Page } from "@playwright/test";
import type { Panel, PanelRecord } from "../src/api/types.ts";
import { unique } from "./service.ts";
import { expect, picture, test } from "./test.ts";

const cell = (page: Page, row: string, column: number) =>
	page.getByRole("row").filter({ hasText: row }).locator(`[aria-colindex="${column}"]`);
const titles = (page: Page) => page.locator(".grid-row:not(.grid-row-loading) .grid-cell-title[role=gridcell]");

test("records are added, one after the other", async ({ home, person }) => {
	const panel = await person.api.panel(unique("People"), ["city"]);
	await home.goto(`/panels/${panel.id}`);
	await home.getByRole("button", { name: "Add record" }).first().click();
	const form = home.getByRole("dialog");
	await form.getByLabel("Title").fill("Ada");
	await form.getByLabel("city", { exact: true }).fill("London");
	await form.getByRole("button", { name: "Add and next" }).click();
	await expect(form.getByLabel("Title")).toHaveValue("");
	await expect(form.getByLabel("Title")).toBeFocused();
	await form.getByLabel("Title").fill("Grace");
	await form.getByLabel("Field name").fill("rank");
	await form.getByRole("button", { name: "Add field" }).click();
	await form.getByLabel("rank", { exact: true }).fill("Admiral");
	await form.getByRole("button", { name: "Add record" }).click();
	await expect(titles(home)).toHaveText(["Grace", "Ada"]);
	await expect(home.getByText("2 records", { exact: true })).toBeVisible();
	const { items } = await person.api.get<{ items: PanelRecord[] }>(`/panels/${panel.id}/records`);
	expect(items.map((record) => record.data)).toEqual([{ city: "London" }, { rank: "Admiral" }]);
});

test("cells are edited in place by keyboard alone", async ({ home, person }) => {
	const panel = await person.api.panel(unique("Stock"), ["count", "place"]);
	await person.api.record(panel, "Bolts", { count: 12, place: "A1" });
	await person.api.record(panel, "Nuts", { count: 40, place: "B2" });
	await home.goto(`/panels/${panel.id}?sort=title`);
	await expect(titles(home)).toHaveText(["Bolts", "Nuts"]);

	await titles(home).first().focus();
	await home.keyboard.press("ArrowRight");
	await expect(cell(home, "Bolts", 3)).toBeFocused();
	await home.keyboard.press("Enter");
	await expect(home.getByLabel("Edit count")).toHaveValue("12");
	await home.keyboard.press("ControlOrMeta+a");
	await home.keyboard.type("many");
	await home.keyboard.press("Enter");
	await expect(home.getByRole("alert")).toContainText("a number");
	await home.keyboard.press("ControlOrMeta+a");
	await home.keyboard.type("13");
	await home.keyboard.press("Tab");
	await expect(cell(home, "Bolts", 4)).toBeFocused();
	await home.keyboard.type("C3");
	await home.keyboard.press("Enter");
	await expect(cell(home, "Nuts", 4)).toBeFocused();
	await home.keyboard.type("lost");
	await home.keyboard.press("Escape");
	await expect(cell(home, "Nuts", 4)).toHaveText("B2");
	await expect(cell(home, "Nuts", 4)).toBeFocused();
	await expect(home.locator(".grid-cell-saving")).toHaveCount(0);

	const { items } = await person.api.get<{ items: PanelRecord[] }>(`/panels/${panel.id}/records?sort=title`);
	expect(items.map((record) => record.data)).toEqual([
		{ count: 13, place: "C3" },
		{ count: 40, place: "B2" },
	]);
});

test("a click takes a cell, a second one edits it, and leaving it saves", async ({ home, person }) => {
	const panel = await person.api.panel(unique("Clicks"), ["note"]);
	const record = await person.api.record(panel, "One", { note: "old" });
	await home.goto(`/panels/${panel.id}`);
	await cell(home, "One", 3).click();
	await expect(home.getByLabel("Edit note")).toHaveCount(0);
	await cell(home, "One", 3).click();
	await home.getByLabel("Edit note").fill("new");
	await home.getByLabel("Filter records by title").click();
	await expect(cell(home, "One", 3)).toHaveText("new");
	await expect
		.poll(async () => (await person.api.get<PanelRecord>(`/panels/${panel.id}/records/${record.id}`)).data)
		.toEqual({ note: "new" });
});

test("numbers keep their digits when a neighbour is edited", async ({ home, person }) => {
	const panel = await person.api.panel(unique("Digits"), ["big", "note"]);
	const response = await person.api.send(
		"POST",
		`/panels/${panel.id}/records`,
		'{"title":"Exact","data":{"big":12345678901234567890,"note":"x"}}',
		{ "Content-Type": "application/json" },
	);
	const { id } = (await response.json()) as PanelRecord;
	await home.goto(`/panels/${panel.id}`);
	await expect(cell(home, "Exact", 3)).toHaveText("12345678901234567890");
	await cell(home, "Exact", 4).click();
	await home.keyboard.type("y");
	await home.keyboard.press("Enter");
	await expect
		.poll(async () => (await person.api.send("GET", `/panels/${panel.id}/records/${id}`)).text())
		.toContain('"note":"y"');
	const stored = await (await person.api.send("GET", `/panels/${panel.id}/records/${id}`)).text();
	expect(stored).toContain("12345678901234567890");
});

test("columns called like what every object has are columns as any other", async ({ home, person }) => {
	const panel = await person.api.panel(unique("Names"), ["constructor", "__proto__"]);
	const { id } = await person.api.record(panel, "Row");
	await home.goto(`/panels/${panel.id}`);
	await expect(cell(home, "Row", 3)).toHaveText("");
	await expect(cell(home, "Row", 4)).toHaveText("");
	await cell(home, "Row", 3).click();
	await home.keyboard.type("x");
	await home.keyboard.press("Tab");
	await home.keyboard.type("y");
	await home.keyboard.press("Enter");
	await expect(cell(home, "Row", 4)).toHaveText("y");
	await expect
		.poll(async () => Object.entries((await person.api.get<PanelRecord>(`/panels/${panel.id}/records/${id}`)).data))
		.toEqual([
			["__proto__", "y"],
			["constructor", "x"],
		]);
});

test("records are filtered and sorted, and the address remembers it", async ({ home, person }) => {
	const panel = await person.api.panel(unique("Fruit"));
	for (const title of ["Banana", "Apple", "Cherry", "Pineapple"]) await person.api.record(panel, title);
	await home.goto(`/panels/${panel.id}`);
	await home.getByLabel("Filter records by title").fill("apple");
	await expect(titles(home)).toHaveText(["Pineapple", "Apple"]);
	await home.getByRole("button", { name: "Title", exact: true }).click();
	await expect(titles(home)).toHaveText(["Apple", "Pineapple"]);
	await home.reload();
	await expect(titles(home)).toHaveText(["Apple", "Pineapple"]);
	await home.getByLabel("Filter records by title").fill("kiwi");
	await home.getByRole("button", { name: "Show all records" }).click();
	await expect(titles(home)).toHaveText(["Apple", "Banana", "Cherry", "Pineapple"]);
});

test("a range of records is selected and deleted", async ({ home, person }) => {
	const panel = await person.api.panel(unique("Bulk"));
	for (const title of ["a", "b", "c", "d", "e"]) await person.api.record(panel, title);
	await home.goto(`/panels/${panel.id}?sort=title`);
	await home.getByRole("checkbox", { name: "Select b" }).click();
	await home.getByRole("checkbox", { name: "Select d" }).click({ modifiers: ["Shift"] });
	await expect(home.getByText("3 selected")).toBeVisible();
	await home.getByRole("button", { name: "Delete", exact: true }).click();
	await expect(home.getByRole("heading", { name: "Delete 3 records?" })).toBeVisible();
	await home.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
	await expect(titles(home)).toHaveText(["a", "e"]);
	const { total } = await person.api.get<{ total: number }>(`/panels/${panel.id}/records`);
	expect(total).toBe(2);
});

test("columns are added from what the records hold, moved and hidden", async ({ home, person }) => {
	const panel = await person.api.panel(unique("Columns"), ["b"]);
	await person.api.record(panel, "Row", { a: "1", b: "2", c: "3" });
	await home.goto(`/panels/${panel.id}`);
	const heads = home.getByRole("columnheader");
	await expect(heads).toHaveText(["", "Title", "b", "Changed", "Record"]);
	await home.getByRole("button", { name: "Columns" }).click();
	const dialog = home.getByRole("dialog");
	await dialog.getByRole("button", { name: "a", exact: true }).click();
	await dialog.getByRole("button", { name: "c", exact: true }).click();
	await dialog.getByRole("button", { name: "Move c up" }).click();
	await dialog.getByRole("button", { name: "Remove the column b" }).click();
	await dialog.getByRole("button", { name: "Save columns" }).click();
	await expect(heads).toHaveText(["", "Title", "c", "a", "Changed", "Record"]);
	await home.reload();
	await expect(heads).toHaveText(["", "Title", "c", "a", "Changed", "Record"]);
});

test("a panel without columns has the cells of a record side by side", async ({ home, person }) => {
	const panel = await person.api.panel(unique("Bare"));
	await person.api.record(panel, "Row");
	await home.goto(`/panels/${panel.id}`);
	const cells = home.getByRole("row").filter({ hasText: "Row" }).getByRole("gridcell");
	await expect(cells).toHaveCount(4);
	const tops = await cells.evaluateAll((all) => all.map((one) => one.getBoundingClientRect().top));
	expect(new Set(tops).size).toBe(1);
	const lefts = await cells.evaluateAll((all) => all.map((one) => one.getBoundingClientRect().left));
	expect(new Set(lefts).size).toBe(4);
});

test("a record is opened, changed in all its fields, and deleted", async ({ home, person }) => {
	const panel = await person.api.panel(unique("Whole"), ["city"]);
	const record = await person.api.record(panel, "Ada", { city: "London", hidden: { deep: [1, 2] }, old: "x" });
	await home.goto(`/panels/${panel.id}`);
	await home.getByRole("button", { name: "Open Ada" }).click();
	const form = home.getByRole("dialog");
	await form.getByLabel("Title").fill("Ada Lovelace");
	await form.getByLabel("hidden", { exact: true }).fill("{broken");
	await form.getByRole("button", { name: "Remove the field old" }).click();
	await form.getByRole("button", { name: "Save record" }).click();
	await expect(form.locator(".field-error")).toContainText("JSON");
	await form.getByLabel("hidden", { exact: true }).fill('{"deep":[3]}');
	await form.getByRole("button", { name: "Save record" }).click();
	await expect(titles(home)).toHaveText(["Ada Lovelace"]);
	const stored = await person.api.get<PanelRecord>(`/panels/${panel.id}/records/${record.id}`);
	expect(stored).toMatchObject({ title: "Ada Lovelace", data: { city: "London", hidden: { deep: [3] } } });
	expect(stored.data).not.toHaveProperty("old");

	await home.getByRole("button", { name: "Open Ada Lovelace" }).click();
	await form.getByRole("button", { name: "Delete record" }).click();
	await home.getByRole("button", { name: "Delete", exact: true }).click();
	await expect(home.getByText("No records yet")).toBeVisible();
});

test.describe("a record that was changed elsewhere meanwhile", () => {
	test("is kept whole when different fields were changed", async ({ home, person, expected }) => {
		expected.push(/status of 412/);
		const panel = await person.api.panel(unique("Merge"), ["a", "b"]);
		const record = await person.api.record(panel, "Row", { a: "1", b: "1" });
		await home.goto(`/panels/${panel.id}`);
		await expect(cell(home, "Row", 3)).toHaveText("1");
		const path = `/panels/${panel.id}/records/${record.id}`;
		await person.api.ok("PATCH", path, { data: { a: "1", b: "theirs" } }, { "If-Match": '"1"' });
		await cell(home, "Row", 3).click();
		await home.keyboard.type("mine");
		await home.keyboard.press("Enter");
		await expect(cell(home, "Row", 4)).toHaveText("theirs");
		await expect(home.getByText("together with a change")).toBeVisible();
		expect((await person.api.get<PanelRecord>(path)).data).toEqual({ a: "mine", b: "theirs" });
	});

	for (const [button, result] of [
		["Keep mine", "mine"],
		["Keep the other", "theirs"],
	] as const) {
		test(`asks when the same field was changed: ${button}`, async ({ home, person, expected }) => {
			expected.push(/status of 412/);
			const panel = await person.api.panel(unique("Conflict"), ["a"]);
			const record = await person.api.record(panel, "Row", { a: "1" });
			await home.goto(`/panels/${panel.id}`);
			await expect(cell(home, "Row", 3)).toHaveText("1");
			const path = `/panels/${panel.id}/records/${record.id}`;
			await person.api.ok("PATCH", path, { data: { a: "theirs" } }, { "If-Match": '"1"' });
			await cell(home, "Row", 3).click();
			await home.keyboard.type("mine");
			await home.keyboard.press("Enter");
			const dialog = home.getByRole("dialog", { name: "Changed elsewhere meanwhile" });
			await expect(dialog.getByRole("row").nth(1)).toHaveText(/amine\s*theirs/);
			await picture(home, "conflict");
			await dialog.getByRole("button", { name: button }).click();
			await expect(cell(home, "Row", 3)).toHaveText(result);
			await expect.poll(async () => (await person.api.get<PanelRecord>(path)).data).toEqual({ a: result });
		});
	}
});

test("CSV is looked at, imported with its columns, and exported the same", async ({ home, person }) => {
	const panel = await person.api.panel(unique("Transfer"));
	await home.goto(`/panels/${panel.id}`);
	await home.getByRole("button", { name: "Import CSV" }).first().click();
	const dialog = home.getByRole("dialog");
	await dialog
		.locator("input[type=file]")
		.setInputFiles({ name: "none.csv", mimeType: "text/csv", buffer: Buffer.from("name,city\nAda,London\n") });
	await expect(dialog.getByRole("alert")).toContainText("no column called “title”");
	await expect(dialog.getByRole("button", { name: "Import", exact: true })).toBeDisabled();
	await dialog.getByRole("button", { name: "Another file" }).click();
	const rows = Array.from({ length: 300 }, (_, n) => `"Person, ${n}",City ${n},${n}`);
	await dialog.locator("input[type=file]").setInputFiles({
		name: "people.csv",
		mimeType: "text/csv",
		buffer: Buffer.from(`title,city,number\n${rows.join("\n")}\n`),
	});
	await expect(dialog.getByRole("cell", { name: "Person, 0" })).toBeVisible();
	await dialog.getByRole("button", { name: "Import", exact: true }).click();
	await expect(home.getByText("Imported 300 records.")).toBeVisible({ timeout: 30_000 });
	await expect(home.getByRole("columnheader", { name: "city" })).toBeVisible();
	await expect(home.getByText("300 records", { exact: false }).last()).toBeVisible();

	const download = home.waitForEvent("download");
	await home.getByRole("button", { name: "Export CSV" }).click();
	const file = await download;
	expect(file.suggestedFilename()).toMatch(/\.csv$/);
	const csv = await readFile(await file.path(), "utf8");
	expect(
		csv
			.replace(/^\uFEFF/, "")
			.split(/\r?\n/)
			.filter(Boolean),
	).toHaveLength(301);
	expect(csv).toContain('"Person, 299",City 299,299');
});

test("records that an import brings wait until what is being typed is done", async ({ home, person }) => {
	const panel = await person.api.panel(unique("Typing"), ["note"]);
	const record = await person.api.record(panel, "Row", { note: "old" });
	let release = () => {};
	const released = new Promise<void>((resolve) => {
		release = resolve;
	});
	await home.route("**/api/v1/jobs/*", async (route) => {
		await released;
		await route.continue();
	});
	await home.goto(`/panels/${panel.id}`);
	await home.getByRole("button", { name: "Import CSV" }).click();
	const dialog = home.getByRole("dialog");
	await dialog
		.locator("input[type=file]")
		.setInputFiles({ name: "more.csv", mimeType: "text/csv", buffer: Buffer.from("title,note\nNew,x\n") });
	await dialog.getByRole("button", { name: "Import", exact: true }).click();
	await cell(home, "Row", 3).click();
	await home.keyboard.type("half");
	const brought = home.waitForResponse(`**/api/v1/panels/${panel.id}/records?*`);
	release();
	await (await brought).finished();
	await expect(home.getByText("Imported 1 record.")).toBeVisible();
	// What the page makes of an answer it has drawn after two frames.
	await home.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
	await home.keyboard.type(" and half");
	await expect(home.getByLabel("Edit note")).toHaveValue("half and half");
	await home.keyboard.press("Enter");
	await expect(titles(home)).toHaveText(["New", "Row"]);
	await expect(cell(home, "Row", 3)).toHaveText("half and half");
	const path = `/panels/${panel.id}/records/${record.id}`;
	await expect.poll(async () => (await person.api.get<PanelRecord>(path)).data).toEqual({ note: "half and half" });

	// The work goes on in the cell where it was, though another record is in its place.
	await expect(cell(home, "Row", 3)).toBeFocused();
	await home.keyboard.type("third");
	await home.keyboard.press("Enter");
	await expect.poll(async () => (await person.api.get<PanelRecord>(path)).data).toEqual({ note: "third" });
});

test("a panel's own export comes back with the fields that people gave it, and no others", async ({ home, person }) => {
	const panel = await person.api.panel(unique("Again"));
	await home.goto(`/panels/${panel.id}`);
	await home.getByRole("button", { name: "Import CSV" }).first().click();
	const dialog = home.getByRole("dialog");
	// As an export has it, with the title as a spreadsheet may have changed it, and a field that is called as a fixed one.
	const id = "01890a5d-ac96-774b-bcce-b302099a8057,2026-01-01T00:00:00Z";
	await dialog.locator("input[type=file]").setInputFiles({
		name: "export.csv",
		mimeType: "text/csv",
		buffer: Buffer.from(`id,created_at,Title,city,data.id,updated_at\n${id},Ada,London,7,2026-01-01T00:00:00Z\n`),
	});
	await expect(dialog.getByRole("alert")).toHaveCount(0);
	await dialog.getByRole("button", { name: "Import", exact: true }).click();
	await expect(home.getByText("Imported 1 record.")).toBeVisible({ timeout: 30_000 });
	await expect(home.getByRole("columnheader", { name: "city" })).toBeVisible();
	expect((await person.api.get<Panel>(`/panels/${panel.id}`)).columns).toEqual(["city", "id"]);
	const { items } = await person.api.get<{ items: PanelRecord[] }>(`/panels/${panel.id}/records`);
	expect(items.map(({ title, data }) => ({ title, data }))).toEqual([
		{ title: "Ada", data: { city: "London", id: "7" } },
	]);
});

test("CSV that cannot be imported says why, and nothing of it arrives", async ({ home, person }) => {
	const panel = await person.api.panel(unique("Broken"));
	await home.goto(`/panels/${panel.id}`);
	await home.getByRole("button", { name: "Import CSV" }).first().click();
	await home
		.getByRole("dialog")
		.locator("input[type=file]")
		.setInputFiles({ name: "bad.csv", mimeType: "text/csv", buffer: Buffer.from("title,a\ngood,1\n,2\n") });
	await home.getByRole("dialog").getByRole("button", { name: "Import", exact: true }).click();
	await expect(home.locator(".toast-bad")).toContainText(/Nothing was imported.*3/, { timeout: 30_000 });
	expect((await person.api.get<{ total: number }>(`/panels/${panel.id}/records`)).total).toBe(0);
});
