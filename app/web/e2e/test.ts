import { mkdirSync } from "node:fs";
import { AxeBuilder } from "@axe-core/playwright";
import { type BrowserContext, test as base, expect, type Page } from "@playwright/test";
import { type Person, resume, signUp } from "./service.ts";

interface TestFixtures {
	/** Somebody who is shared by the tests of a worker: a test makes panels of its own and leaves the account alone. */
	person: Person;
	/** A page that is signed in as person. */
	home: Page;
	/** Signs a context in as somebody. */
	enter: (context: BrowserContext, who: Person) => Promise<void>;
	/** Failures of requests that the test provokes, as the browser's console words them. */
	expected: RegExp[];
	watch: undefined;
}

interface WorkerFixtures {
	resident: Person;
	admin: Person;
}

export const screenshots = "test-results/screenshots";

export const test = base.extend<TestFixtures, WorkerFixtures>({
	resident: [
		// biome-ignore lint/correctness/noEmptyPattern: the way to say that a fixture uses no other.
		async ({}, use) => {
			const person = await signUp("Resident Tester");
			await use(person);
			await person.api.context.dispose();
		},
		{ scope: "worker" },
	],
	admin: [
		// biome-ignore lint/correctness/noEmptyPattern: the way to say that a fixture uses no other.
		async ({}, use) => {
			const { RAD_ADMIN_EMAIL = "", RAD_ADMIN_PASSWORD = "", RAD_ADMIN_SESSION = "{}" } = process.env;
			const person = await resume(RAD_ADMIN_EMAIL, RAD_ADMIN_PASSWORD, RAD_ADMIN_SESSION);
			await use(person);
			await person.api.context.dispose();
		},
		{ scope: "worker" },
	],
	person: async ({ resident }, use) => use(resident),
	enter: async ({ baseURL }, use) => {
		await use((context, who) => enterAs(context, who, baseURL ?? ""));
	},
	home: async ({ context, page, person, enter }, use) => {
		await enter(context, person);
		await use(page);
	},
	expected: async ({ browserName: _ }, use) => use([]),
	// What the browser complains about fails the test, whatever else it is about: errors in the console, uncaught
	// exceptions, and anything that the Content-Security-Policy stopped.
	watch: [
		async ({ context, expected }, use) => {
			const complaints: string[] = [];
			context.on("console", (message) => {
				if (message.type() === "error") complaints.push(message.text());
			});
			context.on("weberror", (error) => complaints.push(error.error().message));
			await context.exposeBinding("radViolation", (_source, what: string) => complaints.push(`CSP: ${what}`));
			await context.addInitScript(() => {
				addEventListener("securitypolicyviolation", (event) => {
					const report = (globalThis as unknown as { radViolation: (what: string) => void }).radViolation;
					report(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
				});
			});
			await use(undefined);
			expect(complaints.filter((text) => !expected.some((pattern) => pattern.test(text)))).toEqual([]);
		},
		{ auto: true },
	],
});

export { expect };

/** Carries a session into a browser, as signing in there would leave it. */
async function enterAs(context: BrowserContext, who: Person, baseURL: string): Promise<void> {
	const { cookies } = await who.api.context.storageState();
	await context.addCookies(cookies);
	await context.addInitScript(
		([origin, id]) => {
			if (location.origin === origin && !sessionStorage.getItem("entered")) {
				sessionStorage.setItem("entered", "yes");
				localStorage.setItem("rad.user", id as string);
			}
		},
		[new URL(baseURL).origin, who.user.id],
	);
}

/** Everything that axe knows to look for, at WCAG 2.2 AA and its good practices. */
export async function expectAccessible(page: Page): Promise<void> {
	const { violations } = await new AxeBuilder({ page })
		.withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"])
		.analyze();
	const found = violations.map(
		({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" | ")}`,
	);
	expect(found).toEqual([]);
}

/** Keeps a picture of the page for people to look at. */
export async function picture(page: Page, name: string): Promise<void> {
	mkdirSync(screenshots, { recursive: true });
	await page.screenshot({ path: `${screenshots}/${name}.png`, animations: "disabled" });
}
