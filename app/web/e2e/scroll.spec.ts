import type { Page } from "@playwright/test";
import { unique } from "./service.ts";
import { expect, test } from "./test.ts";

const records = 100_000;

/** Scrolls the table by wheel-sized steps, one a frame, and gives the time between frames in milliseconds, sorted. */
async function scroll(page: Page, frames: number, step: number): Promise<number[]> {
	return page.evaluate(
		([count, by]) =>
			new Promise<number[]>((resolve) => {
				const scroller = document.querySelector(".grid-scroll") as HTMLElement;
				const times: number[] = [];
				let last = performance.now();
				const frame = (now: number) => {
					times.push(now - last);
					last = now;
					scroller.scrollTop += by as number;
					if (times.length < (count as number)) requestAnimationFrame(frame);
					else resolve(times.sort((a, b) => a - b));
				};
				requestAnimationFrame(frame);
			}),
		[frames, step],
	);
}

test(`${records} records scroll smoothly, and only those in sight are drawn`, { tag: "@alone" }, async ({
	home,
	person,
}) => {
	test.setTimeout(240_000);
	const panel = await person.api.panel(unique("Large"), ["city", "number", "note"]);
	const rows = Array.from({ length: records }, (_, n) => `Record ${n},City ${n % 100},${n},some text for the row`);
	const job = await person.api.import(panel, `title,city,number,note\n${rows.join("\n")}\n`, 180_000);
	expect(job.error ?? job.state).toBe("succeeded");

	await home.goto(`/panels/${panel.id}?sort=created`);
	await expect(home.getByText("Record 0", { exact: true })).toBeVisible();
	await expect(home.getByRole("grid")).toHaveAttribute("aria-rowcount", String(records + 1));
	const height = await home.locator(".grid-scroll").evaluate((element) => element.scrollHeight);
	expect(height).toBeGreaterThan(records * 40);

	const times = await scroll(home, 300, 120);
	const at = (share: number) => (times[Math.floor(times.length * share)] as number).toFixed(1);
	process.stdout.write(
		`  scrolling ${records} records: frames p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, longest ${at(0.999)} ms\n`,
	);
	expect(await home.getByRole("row").count()).toBeLessThan(80);

	// Far down, rows come as they are looked at; back at the top, nothing has to come again.
	await home.locator(".grid-scroll").evaluate((element) => element.scrollTo(0, 3_000 * 44));
	await expect(home.getByText("Record 3000", { exact: true })).toBeVisible({ timeout: 60_000 });
	expect(await home.getByRole("row").count()).toBeLessThan(80);
	await home.locator(".grid-scroll").evaluate((element) => element.scrollTo(0, 0));
	await expect(home.getByText("Record 0", { exact: true })).toBeVisible();

	// The end is near in the other order, and found by name at once.
	await home.getByLabel("Sort by").selectOption("Newest first");
	await expect(home.getByText(`Record ${records - 1}`, { exact: true })).toBeVisible();
	await home.getByLabel("Filter records by title").fill("Record 77777");
	await expect(home.getByText("Record 77777", { exact: true })).toBeVisible();
});
