import { describe, expect, test } from "vitest";
import { RequestError } from "../../api/problem.ts";
import type { PanelRecord } from "../../api/types.ts";
import { RecordEdits, type RecordStore } from "./record-edits.ts";
import { type Page, RecordPages } from "./record-pages.ts";

function record(id: string, data: Record<string, unknown> = {}, version = 1, title = `title ${id}`): PanelRecord {
	return { id, title, data, version, created_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z" };
}

/** Lets everything that can go on without the service go on. */
const settled = () => new Promise((resolve) => setTimeout(resolve));

describe("RecordPages", () => {
	const pageOf = (from: number, size: number, all: number): Page => ({
		items: Array.from({ length: Math.min(size, all - from) }, (_, at) => record(String(from + at))),
		next: from + size < all ? String(from + size) : undefined,
		total: all,
	});

	test("loads no further than is looked at, one page at a time", async () => {
		const asked: (string | undefined)[] = [];
		const pages = new RecordPages(async (cursor) => {
			asked.push(cursor);
			return pageOf(Number(cursor ?? 0), 100, 1_000);
		});
		pages.want(150);
		pages.want(150);
		await settled();
		expect(asked).toEqual([undefined, "100"]);
		expect(pages.records).toHaveLength(200);
		expect(pages.length).toBe(1_000);
	});

	test("stops when nobody looks that far any more", async () => {
		const waiting: (() => void)[] = [];
		const pages = new RecordPages(async (cursor) => {
			await new Promise<void>((resolve) => waiting.push(resolve));
			return pageOf(Number(cursor ?? 0), 100, 100_000);
		});
		pages.want(50_000);
		waiting.shift()?.();
		await settled();
		pages.want(120);
		waiting.shift()?.();
		await settled();
		expect(pages.records).toHaveLength(200);
		expect(waiting).toHaveLength(0);
	});

	test("reaches the end and knows it", async () => {
		const pages = new RecordPages(async (cursor) => pageOf(Number(cursor ?? 0), 100, 250));
		pages.want(10_000);
		await settled();
		expect(pages).toMatchObject({ complete: true, total: 250, length: 250, loading: false });
	});

	test("stays where an error stopped it until it is tried again", async () => {
		let broken = true;
		const pages = new RecordPages(async () => {
			if (broken) throw new RequestError(503, {});
			return pageOf(0, 100, 100);
		});
		pages.want(10);
		await settled();
		expect(pages.error?.fault).toBe("busy");
		pages.want(20);
		await settled();
		expect(pages.records).toHaveLength(0);
		broken = false;
		pages.retry();
		await settled();
		expect(pages.records).toHaveLength(100);
	});

	test("counts what is added and removed here", async () => {
		const pages = new RecordPages(async (cursor) => pageOf(Number(cursor ?? 0), 100, 300));
		pages.want(10);
		await settled();
		pages.prepend(record("new"));
		expect(pages).toMatchObject({ total: 301, length: 301 });
		pages.remove(new Set(["new", "1", "2"]));
		expect(pages).toMatchObject({ total: 298 });
		expect(pages.records[1]?.id).toBe("3");
	});

	test("an answer that comes after the list was left changes nothing", async () => {
		let answer: (page: Page) => void = () => undefined;
		const pages = new RecordPages(() => new Promise((resolve) => (answer = resolve)));
		pages.want(10);
		pages.dispose();
		answer(pageOf(0, 100, 100));
		await settled();
		expect(pages.records).toHaveLength(0);
	});
});

/** A service with one record that checks versions, and can be held up or made to fail. */
class Service implements RecordStore {
	sent: { version: number; content: unknown }[] = [];
	fail: RequestError | undefined;
	hold: Promise<void> = Promise.resolve();
	/** Saves, but the answer gets lost: the caller's own retry meets its own change. */
	loseAnswer = false;

	constructor(public stored: PanelRecord) {}

	async save(_id: string, version: number, content: { title?: string; data?: Record<string, unknown> }) {
		this.sent.push({ version, content });
		await this.hold;
		if (this.fail) throw this.fail;
		if (version !== this.stored.version) throw new RequestError(412, {});
		this.stored = { ...this.stored, ...content, version: version + 1 };
		if (this.loseAnswer) throw new RequestError(412, {});
		return this.stored;
	}

	async load() {
		return this.stored;
	}
}

const set = (name: string, value: unknown) => ({ data: new Map([[name, value]]) });

describe("RecordEdits", () => {
	test("saves a change over the version that was seen, and tells", async () => {
		const service = new Service(record("a", { x: "1", y: "2" }));
		const edits = new RecordEdits(service);
		const saved: PanelRecord[] = [];
		edits.listen((one) => saved.push(one));
		await edits.change(service.stored, set("x", "new"));
		expect(service.sent).toEqual([{ version: 1, content: { data: { x: "new", y: "2" } } }]);
		expect(saved.map((one) => one.version)).toEqual([2]);
		expect(edits.all()).toEqual([]);
	});

	test("sends nothing when nothing changed", async () => {
		const service = new Service(record("a", { x: "1" }));
		const edits = new RecordEdits(service);
		await edits.change(service.stored, set("x", "1"));
		await edits.change(service.stored, { title: "title a", data: new Map() });
		expect(service.sent).toEqual([]);
	});

	test("removes a field", async () => {
		const service = new Service(record("a", { x: "1", y: "2" }));
		await new RecordEdits(service).change(service.stored, set("x", undefined));
		expect(service.stored.data).toEqual({ y: "2" });
	});

	test.each(["constructor", "__proto__"])("saves and removes a field called %s as any other", async (name) => {
		const service = new Service(record("a", { x: "1" }));
		const edits = new RecordEdits(service);
		await edits.change(service.stored, set(name, "typed"));
		expect(Object.entries(service.stored.data)).toEqual([
			["x", "1"],
			[name, "typed"],
		]);
		await edits.change(service.stored, set(name, undefined));
		expect(service.stored.data).toEqual({ x: "1" });
		await edits.change(service.stored, set(name, undefined));
		expect(service.sent).toHaveLength(2);
	});

	test.each(["constructor", "__proto__"])("sees that somebody else removed a field called %s", async (name) => {
		const seen = record("a", Object.fromEntries([[name, "old"]]));
		const service = new Service({ ...seen, data: {}, version: 2 });
		const edits = new RecordEdits(service);
		await edits.change(seen, set(name, "mine"));
		expect(edits.of("a")?.conflict?.fields).toEqual([{ name, mine: "mine", theirs: undefined }]);
	});

	test("changes made while one is saved follow it, over the new version", async () => {
		const service = new Service(record("a"));
		const base = service.stored;
		let release = () => {};
		service.hold = new Promise((resolve) => (release = resolve));
		const edits = new RecordEdits(service);
		const first = edits.change(base, set("x", "1"));
		void edits.change(base, set("y", "2"));
		void edits.change(base, { title: "renamed", data: new Map() });
		expect(service.sent).toHaveLength(1);
		release();
		await first;
		expect(service.sent).toHaveLength(2);
		expect(service.stored).toMatchObject({ title: "renamed", data: { x: "1", y: "2" }, version: 3 });
		expect(edits.all()).toEqual([]);
	});

	test("keeps what could not be saved, shows it as meant, and saves it later", async () => {
		const service = new Service(record("a", { x: "1" }));
		const base = service.stored;
		service.fail = new RequestError(0, {});
		const edits = new RecordEdits(service);
		await edits.change(base, set("x", "2"));
		expect(edits.failed()).toHaveLength(1);
		expect(edits.draft(base).data).toEqual({ x: "2" });
		service.fail = undefined;
		edits.retry();
		await settled();
		expect(service.stored.data).toEqual({ x: "2" });
		expect(edits.all()).toEqual([]);
	});

	test("an attempt that fails takes back its own changes, and nothing that was not saved before", async () => {
		const service = new Service(record("a", { x: "1" }));
		const base = service.stored;
		service.fail = new RequestError(0, {});
		const edits = new RecordEdits(service);
		expect(await edits.attempt(base, set("x", "2"))).toBe(service.fail);
		expect(edits.all()).toEqual([]);
		await edits.change(base, { title: "renamed", data: new Map() });
		expect(await edits.attempt(base, set("x", "2"))).toBe(service.fail);
		expect(edits.failed()).toHaveLength(1);
		expect(edits.draft(base)).toMatchObject({ title: "renamed", data: { x: "1" } });
		service.fail = undefined;
		expect(await edits.attempt(base, set("x", "3"))).toBeUndefined();
		expect(service.stored).toMatchObject({ title: "renamed", data: { x: "3" } });
		expect(edits.all()).toEqual([]);
	});

	test("keeps both changes when somebody else changed another field", async () => {
		const seen = record("a", { x: "1", y: "1" });
		const service = new Service({ ...seen, data: { x: "1", y: "theirs" }, version: 5 });
		const edits = new RecordEdits(service);
		const merged: boolean[] = [];
		edits.listen((_one, both) => merged.push(both));
		await edits.change(seen, set("x", "mine"));
		expect(service.stored.data).toEqual({ x: "mine", y: "theirs" });
		expect(merged).toEqual([true]);
	});

	test("asks when somebody else changed the same field, and loses neither value before", async () => {
		const seen = record("a", { x: "1" });
		const service = new Service({ ...seen, data: { x: "theirs" }, version: 2 });
		const edits = new RecordEdits(service);
		await edits.change(seen, set("x", "mine"));
		expect(edits.of("a")?.conflict?.fields).toEqual([{ name: "x", mine: "mine", theirs: "theirs" }]);
		expect(service.stored.data).toEqual({ x: "theirs" });
		edits.resolve("a", "mine");
		await settled();
		expect(service.stored).toMatchObject({ data: { x: "mine" }, version: 3 });
		expect(edits.all()).toEqual([]);
	});

	test("leaves the other value when the person says so, and still saves the rest", async () => {
		const seen = record("a", { x: "1", y: "1" });
		const service = new Service({ ...seen, data: { x: "theirs", y: "1" }, version: 2 });
		const edits = new RecordEdits(service);
		await edits.change(seen, {
			data: new Map([
				["x", "mine"],
				["y", "also mine"],
			]),
		});
		edits.resolve("a", "theirs");
		await settled();
		expect(service.stored.data).toEqual({ x: "theirs", y: "also mine" });
		expect(edits.all()).toEqual([]);
	});

	test("a conflict over the title is called by no field's name", async () => {
		const seen = record("a");
		const service = new Service({ ...seen, title: "theirs", version: 2 });
		const edits = new RecordEdits(service);
		await edits.change(seen, { title: "mine", data: new Map() });
		expect(edits.of("a")?.conflict?.fields).toEqual([{ name: null, mine: "mine", theirs: "theirs" }]);
		edits.resolve("a", "theirs");
		expect(edits.all()).toEqual([]);
	});

	test("knows its own change again when only the answer got lost", async () => {
		const service = new Service(record("a", { x: "1" }));
		service.loseAnswer = true;
		const edits = new RecordEdits(service);
		await edits.change(service.stored, set("x", "2"));
		expect(edits.all()).toEqual([]);
		expect(service.sent).toHaveLength(1);
		expect(service.stored.data).toEqual({ x: "2" });
	});
});
