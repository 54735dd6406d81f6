import { signUp, unique } from "./service.ts";
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
