import type { Job } from "../src/api/types.ts";
import { signUp, unique } from "./service.ts";
import { expect, expectAccessible, picture, test } from "./test.ts";

test("a user is suspended, cannot go on, and is let in again", async ({ context, page, admin, enter, expected }) => {
	expected.push(/status of 403/);
	const user = await signUp();
	await enter(context, admin);
	await page.goto("/admin/users");
	await page.getByLabel("Find users by e-mail").fill(user.email);
	const row = page.getByRole("row").filter({ hasText: user.email });
	await expect(page.getByRole("row")).toHaveCount(2);
	const ask = async (item: string, button: string) => {
		await row.getByRole("button", { name: `Actions for ${user.email}` }).click();
		await page.getByRole("menuitem", { name: item }).click();
		await page.getByRole("dialog").getByRole("button", { name: button }).click();
		await expect(page.getByRole("dialog")).toHaveCount(0);
	};
	await ask("Suspend", "Suspend");
	await expect(row).toContainText("Suspended");
	expect((await user.api.send("GET", "/session")).status()).toBe(401);
	const refused = await user.api.send("POST", "/sessions", { email: user.email, password: user.password });
	expect(refused.status()).toBe(403);
	await ask("Lift suspension", "Lift suspension");
	await expect(row).toContainText("Active");
	await ask("Make administrator", "Make administrator");
	await expect(row).toContainText("Administrator");
	await ask("Make ordinary user", "Make ordinary user");
	await user.api.post("/sessions", { email: user.email, password: user.password });
	expect((await user.api.send("GET", "/admin/users")).status()).toBe(403);
});

test("a suspended user is told so at the door", async ({ page, admin, expected }) => {
	expected.push(/status of 403/);
	const user = await signUp();
	await admin.api.ok("PATCH", `/admin/users/${user.user.id}`, { status: "suspended" });
	await page.goto("/sign-in");
	await page.getByLabel("E-mail").fill(user.email);
	await page.getByLabel("Password", { exact: true }).fill(user.password);
	await page.getByRole("button", { name: "Sign in" }).click();
	await expect(page.getByRole("alert")).toContainText("suspended");
});

test("a failed job is found and run again", async ({ context, page, admin, enter }) => {
	const user = await signUp();
	const panel = await user.api.panel(unique("Jobs"));
	const job = await user.api.import(panel, "title\n\n,\n");
	expect(job.state).toBe("failed");
	await enter(context, admin);
	await page.goto("/admin/jobs");
	await page.getByLabel("State").selectOption("Failed");
	await expect(page).toHaveURL(/state=failed/);
	const row = page.getByRole("row").filter({ hasText: user.user.id });
	await expect(row).toContainText("Import into a panel");
	await row.getByRole("button", { name: "Retry" }).click();
	await expect(page.getByText("The job waits for its next run.")).toBeVisible();
	await expect.poll(async () => (await user.api.get<Job>(`/jobs/${job.id}`)).state).toBe("failed");
});

test("the scaling page says in one line whether to act", async ({ context, page, admin, enter }) => {
	await enter(context, admin);
	await page.goto("/panels");
	await page.getByRole("link", { name: /^Admin/ }).click();
	await expect(page.getByRole("heading", { name: "Scaling", level: 1 })).toBeVisible();
	const scaling = await admin.api.get<{ triggers: unknown[]; current_tier?: { title: string } }>("/admin/scaling");
	const tier = scaling.current_tier?.title ?? "";
	expect(tier, "the stack gives the service the plan").not.toBe("");
	await expect(page.getByRole("heading", { level: 2 }).first()).toHaveText(
		new RegExp(`^(Stay on ${tier}(, and watch)?|Not known whether to stay on ${tier}|Act: .*)$`),
	);
	await expect(page.getByRole("meter").first()).toBeVisible();
	await expect(page.locator(".trigger")).toHaveCount(scaling.triggers.length);
	await expect(page.locator(".ladder-step")).toHaveCount(5);
	await expectAccessible(page);
});

test("the scaling page draws how it went, and says the same in figures", async ({ context, page, admin, enter }) => {
	test.slow(); // A stack that has just come up has no history yet.
	await enter(context, admin);
	await page.goto("/admin/scaling");
	const { triggers } = await admin.api.get<{ triggers: unknown[] }>("/admin/scaling");
	const charts = page.locator(".chart");
	// Without a history yet, the page asks again after half a minute.
	await expect(charts, "each trigger, and the three service levels").toHaveCount(triggers.length + 3, {
		timeout: 90_000,
	});
	const uptime = charts.filter({ has: page.getByRole("heading", { name: "Uptime" }) });
	// The page asks again every half minute.
	await expect(uptime.getByRole("img")).toHaveAccessibleName(/^Uptime: between .*%, .*% last; target 99/, {
		timeout: 150_000,
	});
	await expect(uptime.locator(".chart-line")).toHaveAttribute("d", /^M/);
	const asked = page.waitForResponse((response) => response.url().includes("/admin/scaling/history?span=hour"));
	await page.getByLabel("Look back").selectOption("An hour");
	expect((await asked).status()).toBe(200);
	await uptime.getByText("The same in figures").click();
	await expect(uptime.getByRole("row").filter({ hasText: "%" }).first()).toBeVisible();
	await expectAccessible(page);
});

test("the scaling page shows what users get: the API, page loads, uptime", async ({ context, page, admin, enter }) => {
	test.slow();
	await enter(context, admin);
	await page.goto("/panels"); // Its load is reported.
	const levels = async () => (await admin.api.get<{ slo: Record<string, number | null> }>("/admin/scaling")).slo;
	await expect.poll(async () => (await levels()).page_loads, { timeout: 20_000 }).toBeGreaterThan(0);
	// The first minute in which the front door was asked has to be over.
	await expect.poll(async () => (await levels()).uptime_percent, { timeout: 100_000 }).not.toBeNull();
	const measured = await levels();
	expect(measured.page_load_seconds).toBeGreaterThan(0);
	expect(measured.uptime_percent).toBeGreaterThan(0);
	await page.goto("/admin/scaling");
	await expect(page.getByRole("row").filter({ hasText: "Page load" })).toContainText(/with an empty cache/);
	await expect(page.getByRole("row").filter({ hasText: "Page load" })).toContainText(/Kept|Missed/);
	await expect(page.getByRole("row").filter({ hasText: "Uptime" })).toContainText(/\d%.*(Kept|Missed)/);
	await expectAccessible(page);
});

test("a fired trigger turns the verdict into what to do", async ({ context, page, admin, enter }) => {
	await enter(context, admin);
	// Whether a trigger fires is the service's to decide; how the page says so is tested with its answer changed.
	await page.route("**/api/v1/admin/scaling", async (route) => {
		const response = await route.fetch();
		const body = await response.json();
		const [first, ...others] = body.triggers;
		for (const other of others) Object.assign(other, { value: 0, fired: false, over_since: null });
		Object.assign(first, {
			value: first.threshold * 1.4,
			fired: true,
			over_since: new Date(Date.parse(body.measured_at) - 3_600_000).toISOString(),
		});
		await route.fulfill({ response, json: body });
	});
	await page.goto("/admin/scaling");
	await expect(page.getByRole("link", { name: /^Admin.*a scaling trigger has fired/ })).toBeVisible();
	const verdict = page.locator(".verdict");
	await expect(verdict.getByRole("heading")).toHaveText(/^Act: move to Tier \d$/);
	await expect(verdict).toContainText("A trigger has fired");
	await expect(page.locator(".trigger").first()).toContainText("Fired");
	await expect(page.locator(".trigger").first()).toContainText("1 h,");
	await expectAccessible(page);
	await picture(page, "scaling-act");
	await verdict.getByRole("link", { name: "See what Tier 1 adds" }).click();
	await expect(page.locator("#next-tier")).toBeInViewport();
	await page.unrouteAll({ behavior: "ignoreErrors" }); // The page may be asking again.
});
