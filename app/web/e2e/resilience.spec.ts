import type { Page } from "@playwright/test";
import type { PanelRecord } from "../src/api/types.ts";
import { signIn, signUp, unique } from "./service.ts";
import { expect, expectAccessible, picture, test } from "./test.ts";

const cell = (page: Page, row: string, column: number) =>
	page.getByRole("row").filter({ hasText: row }).locator(`[aria-colindex="${column}"]`);

test("a session that ends while editing is renewed over the page, and the edit is saved", async ({
	context,
	page,
	enter,
	expected,
}) => {
	expected.push(/status of 401/);
	const person = await signUp();
	const panel = await person.api.panel(unique("Expiry"), ["note"]);
	const record = await person.api.record(panel, "Row", { note: "old" });
	await enter(context, person);
	await page.goto(`/panels/${panel.id}`);
	await cell(page, "Row", 3).click();
	await page.keyboard.type("typed before the session ended");
	await context.clearCookies();
	await page.keyboard.press("Enter");

	const dialog = page.getByRole("dialog", { name: "Sign in again" });
	await expect(dialog.getByLabel("E-mail")).toHaveValue(person.email);
	await expect(dialog.getByLabel("Password", { exact: true })).toBeFocused();
	await expectAccessible(page);
	await picture(page, "session-expired");
	await dialog.getByLabel("Password", { exact: true }).fill("wrong");
	await dialog.getByRole("button", { name: "Sign in" }).click();
	await expect(dialog.getByRole("alert")).toContainText("do not match");
	await dialog.getByLabel("Password", { exact: true }).fill(person.password);
	await dialog.getByRole("button", { name: "Sign in" }).click();
	await expect(dialog).toHaveCount(0);
	await expect(cell(page, "Row", 3)).toHaveText("typed before the session ended");
	const again = await signIn(person.email, person.password);
	await expect
		.poll(async () => (await again.api.get<PanelRecord>(`/panels/${panel.id}/records/${record.id}`)).data)
		.toEqual({ note: "typed before the session ended" });
});

test("a session that was ended elsewhere while a form is filled makes one record, not none and not two", async ({
	context,
	page,
	enter,
	expected,
}) => {
	expected.push(/status of 401/);
	const person = await signUp();
	const panel = await person.api.panel(unique("Form"), ["note"]);
	await enter(context, person);
	await page.goto(`/panels/${panel.id}`);
	await page.getByRole("button", { name: "Add record" }).first().click();
	await page.getByRole("dialog").getByLabel("Title").fill("Typed with care");
	const elsewhere = await signIn(person.email, person.password);
	await elsewhere.api.ok("DELETE", "/sessions");
	await page.getByRole("dialog").getByRole("button", { name: "Add record" }).click();
	const dialog = page.getByRole("dialog", { name: "Sign in again" });
	await dialog.getByLabel("Password", { exact: true }).fill(person.password);
	await dialog.getByRole("button", { name: "Sign in" }).click();
	await expect(page.getByText("1 record", { exact: true })).toBeVisible();
	await expect(page.getByRole("dialog")).toHaveCount(0);
});

test("what was typed before the session ended is there after signing in on a page that was loaded again", async ({
	context,
	page,
	enter,
	expected,
}) => {
	expected.push(/status of 401/);
	const person = await signUp();
	const panel = await person.api.panel(unique("Reload"), ["note"]);
	await enter(context, person);
	await page.goto(`/panels/${panel.id}`);
	await page.getByRole("button", { name: "Add record" }).first().click();
	await page.getByRole("dialog").getByLabel("Title").fill("Half a record");
	await context.clearCookies();
	await page.reload();
	await page.getByLabel("E-mail").fill(person.email);
	await page.getByLabel("Password", { exact: true }).fill(person.password);
	await page.getByRole("button", { name: "Sign in" }).click();
	await page.getByRole("button", { name: "Add record" }).first().click();
	await expect(page.getByRole("dialog").getByLabel("Title")).toHaveValue("Half a record");
	await expect(page.getByText("This is your unsaved draft.")).toBeVisible();

	// Who signs out leaves nothing behind.
	await page.keyboard.press("Escape");
	await page.getByRole("button", { name: "Your account" }).click();
	await page.getByRole("menuitem", { name: "Sign out" }).click();
	await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
	expect(await page.evaluate(() => Object.keys(sessionStorage).filter((key) => key.includes("draft")))).toEqual([]);
});

test("leaving instead of signing in again leads out", async ({ context, page, enter, expected }) => {
	expected.push(/status of 401/);
	const person = await signUp();
	await enter(context, person);
	await page.goto("/panels");
	await expect(page.getByText("Your first panel")).toBeVisible();
	await context.clearCookies();
	await page.getByRole("link", { name: "Activity" }).click();
	await page.getByRole("button", { name: "Leave without saving" }).click();
	await expect(page.getByRole("heading", { name: "Sign in", level: 1 })).toBeVisible();
});

test("without a connection nothing typed is lost, and it is saved when the connection is back", async ({
	home,
	context,
	person,
	expected,
}) => {
	expected.push(/ERR_INTERNET_DISCONNECTED/);
	const panel = await person.api.panel(unique("Offline"), ["note"]);
	const record = await person.api.record(panel, "Row", { note: "old" });
	await home.goto(`/panels/${panel.id}`);
	await expect(cell(home, "Row", 3)).toHaveText("old");
	await context.setOffline(true);
	await cell(home, "Row", 3).click();
	await home.keyboard.type("typed off line");
	await home.keyboard.press("Enter");
	await expect(home.locator(".banner")).toContainText("No connection");
	await expect(home.locator(".grid-alert")).toContainText("1 change not saved", { timeout: 20_000 });
	await expect(cell(home, "Row", 3)).toContainText("typed off line");
	await expectAccessible(home);
	await picture(home, "offline");

	// A page that was not opened before is still there to go to, and says what is missing.
	await home.getByRole("link", { name: "Activity" }).click();
	await expect(home.getByRole("alert")).toContainText("could not be reached", { timeout: 20_000 });
	await home.goBack();
	await expect(home.locator(".grid-alert")).toContainText("1 change not saved", { timeout: 20_000 });

	await context.setOffline(false);
	await expect(home.locator(".banner")).toHaveCount(0);
	await expect(home.locator(".grid-alert")).toHaveCount(0);
	await expect(cell(home, "Row", 3)).toHaveText("typed off line");
	const path = `/panels/${panel.id}/records/${record.id}`;
	await expect.poll(async () => (await person.api.get<PanelRecord>(path)).data).toEqual({ note: "typed off line" });
});

test("a cell that was not saved is saved with the record's form, also on the form's second try", async ({
	home,
	person,
	expected,
}) => {
	expected.push(/ERR_CONNECTION_REFUSED/);
	const panel = await person.api.panel(unique("Both"), ["note"]);
	const record = await person.api.record(panel, "Row", { note: "old" });
	const path = `/panels/${panel.id}/records/${record.id}`;
	await home.goto(`/panels/${panel.id}`);
	await cell(home, "Row", 2).click();
	const sent: unknown[] = [];
	await home.route(`**/api/v1${path}`, (route) => {
		sent.push(route.request().postDataJSON());
		return route.abort("connectionrefused");
	});
	// Nor is the way there when the page looks for it by itself.
	await home.route(
		(url) => url.pathname === "/",
		(route) => route.abort("connectionrefused"),
	);
	await home.keyboard.type("Renamed");
	await home.keyboard.press("Enter");
	await expect(home.locator(".grid-alert")).toContainText("1 change not saved", { timeout: 20_000 });
	await home.getByRole("button", { name: "Open Renamed" }).click();
	const form = home.getByRole("dialog");
	await form.getByLabel("note", { exact: true }).fill("new");
	await form.getByRole("button", { name: "Save record" }).click();
	await expect(form.getByRole("alert")).toContainText("could not be reached", { timeout: 20_000 });
	await expect(home.locator(".grid-alert")).toContainText("1 change not saved");
	expect(sent.at(-1)).toEqual({ title: "Renamed", data: { note: "new" } });
	await home.unroute(`**/api/v1${path}`);
	await form.getByRole("button", { name: "Save record" }).click();
	await expect(form).toHaveCount(0);
	await expect(home.locator(".grid-alert")).toHaveCount(0);
	expect(await person.api.get<PanelRecord>(path)).toMatchObject({ title: "Renamed", data: { note: "new" } });
});

test("a service that was down is found again by itself", async ({ home, expected }) => {
	expected.push(/ERR_CONNECTION_REFUSED/);
	await home.goto("/panels");
	await expect(home.getByRole("heading", { name: "Panels", level: 1 })).toBeVisible();
	await expect(home.locator(".loading-rows")).toHaveCount(0);
	await home.route("**/*", (route) => route.abort("connectionrefused"));
	await home.getByRole("link", { name: "Account" }).click();
	await expect(home.getByRole("alert")).toContainText("could not be reached", { timeout: 20_000 });
	await expect(home.locator(".banner")).toBeVisible();
	await home.unroute("**/*");
	await expect(home.getByLabel("Name", { exact: true })).toBeVisible({ timeout: 20_000 });
	await expect(home.locator(".banner")).toHaveCount(0);
});

test("a page whose code had not come when the service went down comes when it is back", async ({ home, expected }) => {
	expected.push(/ERR_CONNECTION_REFUSED/);
	await home.route("**/assets/account-*", (route) => route.abort("connectionrefused"));
	await home.goto("/panels");
	await expect(home.getByRole("heading", { name: "Panels", level: 1 })).toBeVisible();
	await home.route("**/*", (route) => route.abort("connectionrefused"));
	await home.getByRole("link", { name: "Account" }).click();
	await expect(home.getByRole("alert")).toContainText("could not be reached", { timeout: 20_000 });
	await expect(home.locator(".banner")).toBeVisible();
	await home.unrouteAll();
	await expect(home.getByLabel("Name", { exact: true })).toBeVisible({ timeout: 20_000 });
	await expect(home.locator(".banner")).toHaveCount(0);
});

test("a page whose code a deployment has replaced is loaded anew, when it is asked for", async ({ home, expected }) => {
	expected.push(/status of 404/);
	const replaced = "**/assets/account-*";
	let anew = false;
	await home.route(replaced, (route) => (anew ? route.continue() : route.fulfill({ status: 404 })));
	const missed = home.waitForResponse(replaced);
	await home.goto("/panels");
	await missed;
	const panels = home.getByRole("heading", { name: "Panels", level: 1 });
	await expect(panels).toBeVisible();
	home.on("request", (request) => {
		if (request.isNavigationRequest()) anew = true;
	});
	const loadedAnew = home.waitForEvent("load");
	await home.getByRole("link", { name: "Account" }).click();
	await loadedAnew;
	await expect(home.getByLabel("Name", { exact: true })).toBeVisible();
});

test("an overloaded service is asked again when it says, and the create happens once", async ({
	home,
	person,
	expected,
}) => {
	expected.push(/status of 503/);
	const panel = await person.api.panel(unique("Busy"));
	const keys: (string | undefined)[] = [];
	await home.route(`**/api/v1/panels/${panel.id}/records`, async (route) => {
		if (route.request().method() !== "POST") return route.continue();
		keys.push(route.request().headers()["idempotency-key"]);
		if (keys.length > 2) return route.continue();
		// What a shedding service or its proxy answers before any work was done.
		await route.fulfill({
			status: 503,
			headers: { "Retry-After": "3" },
			contentType: "application/problem+json",
			body: "{}",
		});
	});
	await home.goto(`/panels/${panel.id}`);
	await home.getByRole("button", { name: "Add record" }).first().click();
	await home.getByRole("dialog").getByLabel("Title").fill("In the rush hour");
	await home.getByRole("dialog").getByRole("button", { name: "Add record" }).click();
	await expect(home.locator(".banner")).toContainText("busy");
	await picture(home, "busy");
	await expect(home.getByText("1 record", { exact: true })).toBeVisible({ timeout: 20_000 });
	await expect(home.locator(".banner")).toHaveCount(0);
	expect(keys).toHaveLength(3);
	expect(new Set(keys).size).toBe(1);
	expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
	expect((await person.api.get<{ total: number }>(`/panels/${panel.id}/records`)).total).toBe(1);
});

test("a service that stays overloaded leaves the form as it is, with another try", async ({
	home,
	person,
	expected,
}) => {
	expected.push(/status of 503/);
	const panel = await person.api.panel(unique("Overload"));
	let refuse = true;
	await home.route(`**/api/v1/panels/${panel.id}/records`, (route) =>
		refuse && route.request().method() === "POST"
			? route.fulfill({
					status: 503,
					headers: { "Retry-After": "60" },
					body: "<html>busy</html>",
					contentType: "text/html",
				})
			: route.continue(),
	);
	await home.goto(`/panels/${panel.id}`);
	await home.getByRole("button", { name: "Add record" }).first().click();
	await home.getByRole("dialog").getByLabel("Title").fill("Patience");
	const add = home.getByRole("dialog").getByRole("button", { name: "Add record" });
	await add.click();
	await expect(home.getByRole("dialog").getByRole("alert")).toContainText("busy");
	await expect(home.getByRole("dialog").getByLabel("Title")).toHaveValue("Patience");
	refuse = false;
	await add.click();
	await expect(home.getByText("1 record", { exact: true })).toBeVisible();
});

test("a request that may have done its work is not sent twice, and the person is told to look first", async ({
	home,
	person,
	expected,
}) => {
	expected.push(/status of 504/);
	const panel = await person.api.panel(unique("Late"), ["note"]);
	await person.api.record(panel, "Row");
	let sent = 0;
	await home.route(`**/api/v1/panels/${panel.id}/records/deletions`, (route) => {
		sent++;
		return route.fulfill({ status: 504, json: {} });
	});
	await home.goto(`/panels/${panel.id}`);
	await home.getByRole("checkbox", { name: "Select Row" }).click();
	await home.getByRole("button", { name: "Delete", exact: true }).click();
	await home.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
	await expect(home.getByRole("dialog").getByRole("alert")).toContainText("Look before you try again");
	expect(sent).toBe(1);
});

test("a view that failed shows why and loads on another try", async ({ home, expected }) => {
	expected.push(/status of 500/);
	let broken = true;
	await home.route("**/api/v1/jobs?*", (route) =>
		broken
			? route.fulfill({ status: 500, contentType: "application/problem+json", body: '{"detail":"It broke."}' })
			: route.continue(),
	);
	await home.goto("/activity");
	await expect(home.getByRole("alert")).toContainText("It broke.");
	await expectAccessible(home);
	await picture(home, "view-failed");
	broken = false;
	await home.getByRole("button", { name: "Try again" }).click();
	await expect(home.getByRole("alert")).toHaveCount(0);
});

test("on a slow line the page says that it is loading, moves nothing, and gets there", async ({
	home,
	context,
	person,
}) => {
	const panel = await person.api.panel(unique("Slow"), ["note"]);
	for (const title of ["a", "b", "c"]) await person.api.record(panel, title, { note: "x" });
	const network = await context.newCDPSession(home);
	await network.send("Network.enable");
	await network.send("Network.emulateNetworkConditions", {
		offline: false,
		latency: 400,
		downloadThroughput: 50_000,
		uploadThroughput: 50_000,
	});
	await home.goto(`/panels/${panel.id}`, { waitUntil: "commit" });
	await expect(home.locator(".loading-rows").first()).toBeVisible({ timeout: 30_000 });
	await expect(home.getByRole("gridcell", { name: "a", exact: true })).toBeVisible({ timeout: 30_000 });
});
