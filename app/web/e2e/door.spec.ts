import type { Job } from "../src/api/types.ts";
import { signIn, signUp, unique } from "./service.ts";
import { expect, expectAccessible, picture, test } from "./test.ts";

test("somebody signs up, out and in again, and lands where they wanted to go", async ({ page, expected }) => {
	expected.push(/status of (401|422)/);
	const email = `${unique("newcomer")}@example.com`;
	await page.goto("/activity");
	await expect(page).toHaveURL(/\/sign-in\?next=%2Factivity/);
	await page.getByRole("link", { name: "Create one" }).click();
	await page.getByLabel("E-mail").fill(email);
	await page.getByLabel("Name").fill("New Comer");
	await page.getByLabel("Password", { exact: true }).fill("password");
	await page.getByRole("button", { name: "Create account" }).click();
	await expect(page.locator(".field-error")).toContainText("too common");
	await expectAccessible(page);
	await page.getByLabel("Password", { exact: true }).fill("quite a good pass phrase");
	await page.getByRole("button", { name: "Create account" }).click();
	await expect(page.getByRole("heading", { name: "Activity", level: 1 })).toBeVisible();

	await page.getByRole("button", { name: "Your account" }).click();
	await page.getByRole("menuitem", { name: "Sign out" }).click();
	await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
	await page.goto("/account");
	await expect(page).toHaveURL(/sign-in\?next=%2Faccount/);

	await page.getByLabel("E-mail").fill(email);
	await page.getByLabel("Password", { exact: true }).fill("not the right one");
	await page.getByRole("button", { name: "Sign in" }).click();
	await expect(page.getByRole("alert")).toContainText("do not match");
	await picture(page, "sign-in-wrong");
	await page.getByLabel("Password", { exact: true }).fill("quite a good pass phrase");
	await page.keyboard.press("Enter");
	await expect(page.getByRole("heading", { name: "Account", level: 1 })).toBeVisible();
	await page.reload();
	await expect(page.getByRole("heading", { name: "Account", level: 1 })).toBeVisible();
});

test("who has a session is in, also when the browser remembers nothing but its cookie", async ({ context, page }) => {
	const person = await signUp();
	await context.addCookies((await person.api.context.storageState()).cookies);
	await page.goto("/activity");
	await expect(page.getByRole("heading", { name: "Activity", level: 1 })).toBeVisible();
	await page.evaluate(() => localStorage.clear());
	await page.goto("/sign-in?next=/account");
	await expect(page.getByRole("heading", { name: "Account", level: 1 })).toBeVisible();
});

test("whom the browser does not remember gets the sign-in page, also when the service cannot say who they are", async ({
	page,
	expected,
}) => {
	expected.push(/status of 503/);
	await page.route("**/api/v1/session?*", (route) => route.fulfill({ status: 503 }));
	await page.goto("/");
	await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
});

test("an address of another site is no place to go on to", async ({ page, expected }) => {
	expected.push(/status of 401/);
	const person = await signUp();
	await page.goto("/sign-in?next=//evil.example/panels");
	await page.getByLabel("E-mail").fill(person.email);
	await page.getByLabel("Password", { exact: true }).fill(person.password);
	await page.getByRole("button", { name: "Sign in" }).click();
	await expect(page.getByRole("heading", { name: "Panels" })).toBeVisible();
	expect(new URL(page.url()).pathname).toBe("/panels");
});

test("an address that is none is no place to go on to either", async ({ home }) => {
	await home.goto("/sign-in?next=//[");
	await expect(home.getByRole("heading", { name: "Panels", level: 1 })).toBeVisible();
});

test("what somebody did before they signed out is nothing to who signs in next", async ({ context, page, enter }) => {
	const [first, second] = await Promise.all([signUp(), signUp()]);
	const elsewhere = await signIn(first.email, first.password);
	const [secret, other] = [await first.api.panel("secret"), await first.api.panel("other")];
	await page.clock.install();
	let asked = 0;
	await page.route("**/api/v1/jobs/*", async (route) => {
		// What is exported is still at work, however fast it is.
		asked++;
		const job = await elsewhere.api.get<Job>(new URL(route.request().url()).pathname.replace("/api/v1", ""));
		await route.fulfill({ json: { ...job, state: "running" } });
	});
	await enter(context, first);
	await page.goto(`/panels/${other.id}`);
	await page.getByRole("button", { name: "Export CSV" }).click();
	const toasts = page.locator(".toast");
	await expect(toasts).toContainText("Exporting “other”");
	await page.getByRole("navigation").getByRole("link", { name: "Panels" }).click();
	await page.getByRole("button", { name: `Actions for ${secret.name}` }).click();
	await page.getByRole("menuitem", { name: "Delete" }).click();
	await expect(page.getByRole("button", { name: "Undo" })).toBeVisible();
	await expect.poll(() => asked).toBeGreaterThan(0);

	await page.getByRole("button", { name: "Your account" }).click();
	await page.getByRole("menuitem", { name: "Sign out" }).click();
	await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
	await expect(toasts).toHaveCount(0);
	const before = asked;
	await page.getByLabel("E-mail").fill(second.email);
	await page.getByLabel("Password", { exact: true }).fill(second.password);
	await page.getByRole("button", { name: "Sign in" }).click();
	await expect(page.getByText("Your first panel")).toBeVisible();
	await page.clock.runFor(10_000); // A job that is followed is asked for at least every three seconds.
	await page.getByRole("link", { name: "Activity" }).click();
	await expect(page.getByText("Nothing has run yet")).toBeVisible();
	expect(asked).toBe(before);
	await expect(toasts).toHaveCount(0);
	await page.unrouteAll({ behavior: "ignoreErrors" });
});

test("an e-mail that is taken says so and keeps what was typed", async ({ page, person, expected }) => {
	expected.push(/status of 409/);
	await page.goto("/sign-up");
	await page.getByLabel("E-mail").fill(person.email);
	await page.getByLabel("Name").fill("Somebody Else");
	await page.getByLabel("Password", { exact: true }).fill("quite a good pass phrase");
	await page.getByRole("button", { name: "Create account" }).click();
	await expect(page.getByRole("alert")).toContainText("account with this e-mail");
	await expect(page.getByLabel("Name")).toHaveValue("Somebody Else");
	await page.reload();
	await expect(page.getByLabel("Name")).toHaveValue("Somebody Else");
	await expect(page.getByLabel("Password", { exact: true })).toHaveValue("");
});
