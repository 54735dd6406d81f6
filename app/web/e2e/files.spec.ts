import { readFile } from "node:fs/promises";
import { png } from "./images.ts";
import { unique } from "./service.ts";
import { expect, picture, test } from "./test.ts";

test("files are uploaded by choice, looked at, taken out and deleted", async ({ home, person }) => {
	const panel = await person.api.panel(unique("Files"));
	await home.goto(`/panels/${panel.id}/files`);
	const red = png(320, 200, [200, 40, 40]);
	await home.locator("input[type=file]").setInputFiles([
		{ name: "red.png", mimeType: "image/png", buffer: red },
		{ name: "blue.png", mimeType: "image/png", buffer: png(64, 64, [40, 40, 200]) },
		{ name: "page.html", mimeType: "text/html", buffer: Buffer.from("<script>alert(1)</script>") },
	]);
	const rows = home.getByRole("row");
	await expect(rows).toHaveCount(4);
	await expect(home.locator(".upload")).toHaveCount(0);
	await expect(home.getByRole("button", { name: "Preview page.html" })).toHaveCount(0);

	await home.getByRole("button", { name: "Preview red.png" }).click();
	const image = home.getByRole("dialog").getByRole("img", { name: "red.png" });
	await expect.poll(() => image.evaluate((element: HTMLImageElement) => element.naturalWidth)).toBe(320);
	await picture(home, "lightbox");
	await home.keyboard.press("ArrowRight");
	await expect(home.getByRole("dialog").getByRole("img", { name: "blue.png" })).toBeVisible();
	await home.keyboard.press("Escape");
	await expect(home.getByRole("button", { name: "Preview red.png" })).toBeFocused();

	const download = home.waitForEvent("download");
	await home.getByRole("link", { name: "Download red.png" }).click();
	const file = await download;
	expect(file.suggestedFilename()).toBe("red.png");
	expect(Buffer.compare(await readFile(await file.path()), red)).toBe(0);

	await home.getByRole("button", { name: "Delete page.html" }).click();
	await home.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
	await expect(rows).toHaveCount(3);
	await home.reload();
	await expect(rows).toHaveCount(3);
});

test("a file that the file store has lost is sent anew on another try", async ({ home, person, expected }) => {
	expected.push(/status of 409/);
	const panel = await person.api.panel(unique("Lost"));
	const uploads = `/api/v1/panels/${panel.id}/uploads`;
	let sent = 0;
	// A file store of its own, as larger stacks have it.
	await home.route(`**${uploads}`, (route) =>
		route.fulfill({ json: { method: "PUT", url: "/store", headers: {}, completion: "ticket" } }),
	);
	await home.route("**/store", (route) => {
		sent++;
		return route.fulfill({ status: 200 });
	});
	await home.route(`**${uploads}/completions`, (route) =>
		sent < 2
			? route.fulfill({ status: 409, json: { detail: "The file has not been sent yet." } })
			: route.fulfill({ status: 201, json: { name: "lost.txt" } }),
	);
	await home.goto(`/panels/${panel.id}/files`);
	await home
		.locator("input[type=file]")
		.setInputFiles({ name: "lost.txt", mimeType: "text/plain", buffer: Buffer.from("here") });
	await expect(home.getByRole("alert")).toContainText("not been sent yet");
	await home.getByRole("button", { name: "Upload lost.txt again" }).click();
	await expect(home.getByText("Uploaded lost.txt")).toBeVisible();
	await expect(home.locator(".upload")).toHaveCount(0);
	expect(sent).toBe(2);
});

test("files are dropped onto the page", async ({ home, person }) => {
	const panel = await person.api.panel(unique("Drop"));
	await home.goto(`/panels/${panel.id}/files`);
	const data = await home.evaluateHandle(() => {
		const transfer = new DataTransfer();
		transfer.items.add(new File(["dropped here"], "dropped.txt", { type: "text/plain" }));
		return transfer;
	});
	const zone = home.locator(".drop-zone");
	await zone.dispatchEvent("dragover", { dataTransfer: data });
	await expect(zone).toHaveClass(/drop-zone-over/);
	await zone.dispatchEvent("drop", { dataTransfer: data });
	await expect(home.getByRole("row").filter({ hasText: "dropped.txt" })).toBeVisible();
});

test("a file that is too large says so; one on a slow line shows its progress and can be called off", async ({
	home,
	person,
	context,
	expected,
}) => {
	expected.push(/status of 413/, /ERR_/);
	const panel = await person.api.panel(unique("Limits"));
	await home.goto(`/panels/${panel.id}/files`);
	await home
		.locator("input[type=file]")
		.setInputFiles({ name: "huge.bin", mimeType: "application/octet-stream", buffer: Buffer.alloc(26 << 20) });
	await expect(home.getByRole("alert")).toContainText("larger than the service takes", { timeout: 30_000 });
	await home.getByRole("button", { name: "Cancel the upload of huge.bin" }).click();
	await expect(home.locator(".upload")).toHaveCount(0);

	const network = await context.newCDPSession(home);
	await network.send("Network.enable");
	await network.send("Network.emulateNetworkConditions", {
		offline: false,
		latency: 50,
		downloadThroughput: 1e6,
		uploadThroughput: 200_000,
	});
	await home
		.locator("input[type=file]")
		.setInputFiles({ name: "slow.bin", mimeType: "application/octet-stream", buffer: Buffer.alloc(4 << 20) });
	const progress = home.getByRole("progressbar", { name: "Uploading slow.bin" });
	await expect.poll(async () => Number(await progress.getAttribute("value"))).toBeGreaterThan(0.02);
	expect(Number(await progress.getAttribute("value"))).toBeLessThan(1);
	await picture(home, "upload-progress");

	// It goes on while one looks at the records, and leaving the page altogether would end it.
	await home.getByRole("link", { name: "Records" }).click();
	await expect(home.getByText("No records yet")).toBeVisible();
	const warning = home.waitForEvent("dialog");
	await home.close({ runBeforeUnload: true });
	expect((await warning).type()).toBe("beforeunload");
	await (await warning).dismiss();
	await home.getByRole("link", { name: "Files" }).click();
	await home.getByRole("button", { name: "Cancel the upload of slow.bin" }).click();
	await expect(home.locator(".upload")).toHaveCount(0);
	const { items } = await person.api.get<{ items: unknown[] }>(`/panels/${panel.id}/files`);
	expect(items).toEqual([]);
});
