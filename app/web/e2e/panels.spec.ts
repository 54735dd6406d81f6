import type { Page } from "@playwright/test";
import type { Job } from "../src/api/types.ts";
import { signUp, unique } from "./service.ts";
import { expect, picture, test } from "./test.ts";

const item = (page: Page, name: string) => page.getByRole("listitem").filter({ hasText: name });

test("a panel is made from a preset, and opens empty", async ({ home }) => {
	const name = unique("Customers");
	await home.goto("/panels");
	await home.getByRole("button", { name: "New panel" }).first().click();
	await home.getByLabel("Name", { exact: true }).fill(name);
	await home.getByLabel("Description").fill("Who buys from us.");
	await home.getByRole("radio", { name: "Contacts" }).check();
	await expect(home.getByLabel("Columns")).toHaveValue("email, phone, company, notes");
	await home.getByRole("button", { name: "Create panel" }).click();
	await expect(home.getByRole("heading", { name, level: 1 })).toBeVisible();
	await expect(home.getByText("No records yet")).toBeVisible();
});

test("panels are found by name, sorted, renamed, deleted and brought back", async ({ home, person }) => {
	const mark = unique("x");
	for (const name of ["Beta", "Alpha", "Gamma"]) await person.api.panel(`${name} ${mark}`);
	await home.goto("/panels");
	await home.getByLabel("Search panels by name").fill(mark);
	const names = home.locator(".panel-item-name");
	await expect(names).toHaveText([`Gamma ${mark}`, `Alpha ${mark}`, `Beta ${mark}`]);
	await home.getByLabel("Sort by").selectOption("Name, A to Z");
	await expect(names).toHaveText([`Alpha ${mark}`, `Beta ${mark}`, `Gamma ${mark}`]);
	await expect(home).toHaveURL(/q=.*sort=name/);

	await home.getByRole("button", { name: `Actions for Beta ${mark}` }).click();
	await home.getByRole("menuitem", { name: "Rename" }).click();
	await home.getByLabel("Name", { exact: true }).fill(`Zeta ${mark}`);
	await home.getByRole("button", { name: "Save" }).click();
	await expect(names).toHaveText([`Alpha ${mark}`, `Gamma ${mark}`, `Zeta ${mark}`]);

	await home.getByRole("button", { name: `Actions for Alpha ${mark}` }).click();
	await home.getByRole("menuitem", { name: "Delete" }).click();
	await expect(item(home, `Alpha ${mark}`).locator(".panel-item-name")).toHaveCount(0);
	await picture(home, "panels-undo");
	await home.getByRole("button", { name: "Undo" }).click();
	await expect(names).toHaveText([`Alpha ${mark}`, `Gamma ${mark}`, `Zeta ${mark}`]);

	await home.getByRole("button", { name: `Actions for Gamma ${mark}` }).click();
	await home.getByRole("menuitem", { name: "Delete" }).click();
	await expect(names).toHaveText([`Alpha ${mark}`, `Zeta ${mark}`]);
	// The list is ahead of the service: the offer to undo tells that the panel is deleted.
	await expect(home.getByRole("button", { name: "Undo" })).toBeVisible();
	await home.reload();
	await home.getByText("Recently deleted").click();
	await home.getByRole("button", { name: `Restore Gamma ${mark}` }).click();
	await expect(names).toHaveText([`Alpha ${mark}`, `Gamma ${mark}`, `Zeta ${mark}`]);
});

test("a rename over a newer version says so and loses nothing", async ({ home, person, expected }) => {
	expected.push(/status of 412/);
	const panel = await person.api.panel(unique("Shared"));
	await home.goto(`/panels/${panel.id}`);
	await home.getByRole("button", { name: "More for this panel" }).click();
	await home.getByRole("menuitem", { name: "Name and description" }).click();
	await home.getByLabel("Name", { exact: true }).fill("Mine");
	await person.api.ok("PATCH", `/panels/${panel.id}`, { name: "Theirs" }, { "If-Match": `"${panel.version}"` });
	await home.getByRole("button", { name: "Save" }).click();
	await expect(home.getByRole("alert")).toContainText("changed elsewhere");
	await expect(home.getByLabel("Name", { exact: true })).toHaveValue("Mine");
	await home.getByRole("button", { name: "Save" }).click();
	await expect(home.getByRole("heading", { name: "Mine", level: 1 })).toBeVisible();
});

test("deleting a panel from its own page leaves it, and undo leads back", async ({ home, person }) => {
	const panel = await person.api.panel(unique("Short-lived"));
	await home.goto(`/panels/${panel.id}`);
	await home.getByRole("button", { name: "More for this panel" }).click();
	await home.getByRole("menuitem", { name: "Delete panel" }).click();
	await expect(home.getByRole("heading", { name: "Panels", level: 1 })).toBeVisible();
	await home.getByRole("button", { name: "Undo" }).click();
	await expect(home.getByRole("heading", { name: panel.name, level: 1 })).toBeVisible();
});

test("a deletion whose answer got lost is a deletion all the same", async ({ home, person, expected }) => {
	expected.push(/ERR_CONNECTION_RESET/, /status of 404/);
	const panel = await person.api.panel(unique("Unheard"));
	await home.goto(`/panels/${panel.id}`);
	await home.getByRole("button", { name: "More for this panel" }).click();
	let lost = false;
	await home.route(`**/api/v1/panels/${panel.id}`, async (route) => {
		if (lost || route.request().method() !== "DELETE") return route.continue();
		lost = true;
		await route.fetch();
		await route.abort("connectionreset");
	});
	await home.getByRole("menuitem", { name: "Delete panel" }).click();
	await expect(home.getByRole("heading", { name: "Panels", level: 1 })).toBeVisible();
	await expect(home.locator(".toast-bad")).toHaveCount(0);
	await home.getByRole("button", { name: "Undo" }).click();
	await expect(home.getByRole("heading", { name: panel.name, level: 1 })).toBeVisible();
});

test("a form that was left by accident is as it was", async ({ home }) => {
	await home.goto("/panels");
	await home.getByRole("button", { name: "New panel" }).first().click();
	await home.getByLabel("Name", { exact: true }).fill("Half typed");
	await home.reload();
	await home.getByRole("button", { name: "New panel" }).first().click();
	await expect(home.getByLabel("Name", { exact: true })).toHaveValue("Half typed");
	await home.getByRole("button", { name: "Cancel" }).click();
	await home.getByRole("button", { name: "New panel" }).first().click();
	await expect(home.getByLabel("Name", { exact: true })).toHaveValue("");
});

test("the rest of a list that comes late does not come into another list", async ({ context, page, enter }) => {
	const person = await signUp();
	for (let n = 0; n < 51; n++) await person.api.panel(`Panel ${n}`);
	await person.api.panel("The odd one");
	let release = () => {};
	const released = new Promise<void>((resolve) => {
		release = resolve;
	});
	await page.route("**/api/v1/panels?*cursor=*", async (route) => {
		await released;
		await route.continue();
	});
	await enter(context, person);
	await page.goto("/panels");
	const names = page.locator(".panel-item-name");
	await expect(names).toHaveCount(50);
	const late = page.waitForRequest("**/api/v1/panels?*cursor=*");
	await names.last().scrollIntoViewIfNeeded();
	await page.getByRole("button", { name: "Show more" }).scrollIntoViewIfNeeded();
	const rest = await late;
	await page.getByLabel("Search panels by name").fill("odd");
	await expect(names).toHaveText(["The odd one"]);
	release();
	await (await rest.response())?.finished();
	// What the page makes of an answer it has drawn after two frames.
	await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
	await expect(names).toHaveText(["The odd one"]);
});

test("jobs that are watched stay in sight as far as they were looked at", async ({ context, page, enter }) => {
	const person = await signUp();
	const panel = await person.api.panel("Exported often");
	await person.api.export(panel);
	// Five at a time: nobody may have more than ten that are unfinished.
	for (let n = 0; n < 10; n++) await Promise.all(Array.from({ length: 5 }, () => person.api.export(panel)));
	let pages = 0;
	await page.route("**/api/v1/jobs?*", async (route) => {
		if (route.request().url().includes("cursor=")) {
			pages++;
			return route.continue();
		}
		// The newest is still at work.
		const list = await person.api.get<{ items: Job[] }>(new URL(route.request().url()).search.replace(/^/, "/jobs"));
		Object.assign(list.items[0] as Job, { state: "running" });
		await route.fulfill({ json: list });
	});
	await enter(context, person);
	await page.goto("/activity");
	const rows = page.locator("tbody tr");
	await expect(rows).toHaveCount(50);
	await page.getByRole("button", { name: "Show more" }).scrollIntoViewIfNeeded();
	await expect(rows).toHaveCount(51);
	for (let look = 0; look < 2; look++) await page.waitForResponse("**/api/v1/jobs?*");
	await expect(rows).toHaveCount(51);
	expect(pages).toBe(1);
	await page.unrouteAll({ behavior: "ignoreErrors" });
});
