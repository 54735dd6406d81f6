import type { StoredFile } from "../src/api/types.ts";
import { png } from "./images.ts";
import { signUp, unique } from "./service.ts";
import { expect, test } from "./test.ts";

test("nobody sees another's data by changing ids in addresses", async ({ context, page, person, enter, expected }) => {
	expected.push(/status of (404|422)/);
	const owner = await signUp("The Owner");
	const secret = unique("secret");
	const panel = await owner.api.panel(secret);
	const record = await owner.api.record(panel, secret);
	const file = await owner.api.post<StoredFile>(`/panels/${panel.id}/files?name=${secret}.png`, png(8, 8, [1, 2, 3]), {
		"Content-Type": "image/png",
	});
	const job = await owner.api.post<{ id: string }>(`/panels/${panel.id}/exports`);
	const own = await person.api.panel(unique("own"));

	await enter(context, person);
	for (const address of [`/panels/${panel.id}`, `/panels/${panel.id}/files`, "/panels/not-an-id", "/panels/x/y/z"]) {
		await page.goto(address);
		await expect(page.getByRole("heading", { name: "There is nothing here" })).toBeVisible();
		expect(await page.content()).not.toContain(secret);
	}
	for (const address of ["/panels", `/panels?q=${secret}`, "/activity"]) {
		await page.goto(address);
		await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
		await expect(page.locator(".loading-rows")).toHaveCount(0);
		await expect(page.getByText(secret, { exact: true })).toHaveCount(0);
	}

	// Behind the pages: the other's ids give 404 in every place they fit, also within one's own panel.
	const paths = [
		`GET /panels/${panel.id}`,
		`GET /panels/${panel.id}/records`,
		`GET /panels/${panel.id}/records/${record.id}`,
		`GET /panels/${own.id}/records/${record.id}`,
		`DELETE /panels/${panel.id}/records/${record.id}`,
		`POST /panels/${panel.id}/exports`,
		`GET /panels/${panel.id}/files`,
		`GET /panels/${panel.id}/files/${file.id}/content`,
		`GET /panels/${own.id}/files/${file.id}/content`,
		`DELETE /panels/${panel.id}/files/${file.id}`,
		`GET /jobs/${job.id}`,
		`GET /jobs/${job.id}/result`,
		`DELETE /panels/${panel.id}`,
		`POST /panels/${panel.id}/restoration`,
	];
	for (const entry of paths) {
		const [method = "", path = ""] = entry.split(" ");
		expect((await person.api.send(method, path)).status(), entry).toBe(404);
	}
	const image = await page.goto(`/api/v1/panels/${panel.id}/files/${file.id}/content?disposition=inline`);
	expect(image?.status()).toBe(404);
});

test("pages for administrators are none for others", async ({ home, person, expected }) => {
	expected.push(/status of 403/);
	for (const address of ["/admin/users", "/admin/jobs", "/admin/scaling"]) {
		await home.goto(address);
		await expect(home.getByRole("heading", { name: "There is nothing here" })).toBeVisible();
		expect((await person.api.send("GET", address)).status()).toBe(403);
	}
	await expect(home.getByRole("link", { name: /^Admin/ })).toHaveCount(0);
});

test("signing in as somebody else leaves nothing of the first one on the page", async ({ context, page, enter }) => {
	const [first, other] = [await signUp(), await signUp()];
	const name = unique("first-only");
	await first.api.panel(name);
	await enter(context, first);
	await page.goto("/panels");
	await expect(page.getByText(name)).toBeVisible();
	await page.getByRole("button", { name: "Your account" }).click();
	await page.getByRole("menuitem", { name: "Sign out" }).click();
	await page.getByLabel("E-mail").fill(other.email);
	await page.getByLabel("Password", { exact: true }).fill(other.password);
	await page.getByRole("button", { name: "Sign in" }).click();
	await expect(page.getByText("Your first panel")).toBeVisible();
	await page.goBack();
	expect(await page.content()).not.toContain(name);
	await expect(page.getByText(name)).toHaveCount(0);
});
