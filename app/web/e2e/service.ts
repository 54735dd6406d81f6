import { randomBytes } from "node:crypto";
import http from "node:http";
import https from "node:https";
import { type APIRequestContext, type APIResponse, expect, request } from "@playwright/test";
import type { Job, Panel, PanelRecord, User } from "../src/api/types.ts";

/** Somebody with an account, and a client that is signed in as them. */
export interface Person {
	email: string;
	password: string;
	user: User;
	/** The service's API, signed in. */
	api: Client;
}

/** The service's API as a test uses it to set a scene, or to look behind the page. */
export class Client {
	constructor(readonly context: APIRequestContext) {}

	async send(method: string, path: string, data?: unknown, headers: Record<string, string> = {}): Promise<APIResponse> {
		return this.context.fetch(`/api/v1${path}`, { method, headers, ...(data !== undefined && { data }) });
	}

	async get<T>(path: string): Promise<T> {
		return (await this.ok("GET", path)) as T;
	}

	async post<T>(path: string, data?: unknown, headers?: Record<string, string>): Promise<T> {
		return (await this.ok("POST", path, data, headers)) as T;
	}

	async ok(method: string, path: string, data?: unknown, headers?: Record<string, string>): Promise<unknown> {
		const response = await this.send(method, path, data, headers);
		expect(response.ok(), `${method} ${path}: ${response.status()} ${await response.text()}`).toBe(true);
		const body = await response.text();
		return body === "" ? undefined : JSON.parse(body);
	}

	async panel(name: string, columns: string[] = []): Promise<Panel> {
		return this.post<Panel>("/panels", { name, columns });
	}

	async record(panel: Panel, title: string, data: Record<string, unknown> = {}): Promise<PanelRecord> {
		return this.post<PanelRecord>(`/panels/${panel.id}/records`, { title, data });
	}

	/** Imports CSV and waits until the job is over. */
	async import(panel: Panel, csv: string, deadline = 60_000): Promise<Job> {
		return this.over(
			await this.post<Job>(`/panels/${panel.id}/imports`, csv, { "Content-Type": "text/csv" }),
			deadline,
		);
	}

	/** Exports as CSV and waits until the job is over. */
	async export(panel: Panel): Promise<Job> {
		return this.over(await this.post<Job>(`/panels/${panel.id}/exports`), 60_000);
	}

	private async over(queued: Job, deadline: number): Promise<Job> {
		let job = queued;
		await expect
			.poll(
				async () => {
					job = await this.get<Job>(`/jobs/${queued.id}`);
					return job.state;
				},
				{ timeout: deadline },
			)
			.toMatch(/succeeded|failed/);
		return job;
	}
}

/** A name that no other test, worker or run has. */
export const unique = (word: string) => `${word}-${randomBytes(6).toString("hex")}`;

export const baseURL = process.env.RAD_URL ?? "http://127.0.0.1:8080";

/** Signs somebody up who did not exist before. */
export async function signUp(name = "Test Person"): Promise<Person> {
	const email = `${unique("person")}@example.com`;
	const password = `correct horse ${randomBytes(6).toString("hex")}`;
	return open("/users", { email, password, name });
}

/** Signs in with an account that exists. */
export async function signIn(email: string, password: string): Promise<Person> {
	return open("/sessions", { email, password });
}

/** Goes on in a session that somebody has opened already. */
export async function resume(email: string, password: string, cookies: string): Promise<Person> {
	const context = await request.newContext({ baseURL, storageState: JSON.parse(cookies) });
	const client = new Client(context);
	const { user } = await client.get<{ user: User }>("/session");
	return { email, password, user, api: client };
}

/** What the service is told of the device that a session is opened on. */
const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/**
 * Opens a session. The service limits how often one address may do that, and all tests come from this machine: each time
 * another of its loopback addresses (127.0.0.0/8) asks, as users come from addresses of their own.
 */
async function open(path: string, body: { email: string; password: string; name?: string }): Promise<Person> {
	const url = new URL(`/api/v1${path}`, baseURL);
	const [a, b, c] = randomBytes(3);
	const local = ["localhost", "127.0.0.1"].includes(url.hostname);
	const { status, cookie, text } = await new Promise<{ status: number; cookie: string; text: string }>(
		(resolve, reject) => {
			const sent = (url.protocol === "https:" ? https : http).request(
				url,
				{
					method: "POST",
					headers: { "Content-Type": "application/json", "User-Agent": agent },
					...(local && { family: 4, localAddress: `127.${a}.${b}.${Math.max(1, c as number)}` }),
				},
				(response) => {
					let received = "";
					response.setEncoding("utf8");
					response.on("data", (part: string) => {
						received += part;
					});
					response.on("end", () =>
						resolve({
							status: response.statusCode ?? 0,
							cookie: response.headers["set-cookie"]?.[0] ?? "",
							text: received,
						}),
					);
				},
			);
			sent.on("error", reject);
			sent.end(JSON.stringify(body));
		},
	);
	expect(status, `POST ${path}: ${text}`).toBe(201);
	const [pair = ""] = cookie.split(";");
	const at = pair.indexOf("=");
	const session = {
		name: pair.slice(0, at),
		value: pair.slice(at + 1),
		domain: url.hostname,
		path: "/",
		expires: -1,
		httpOnly: true,
		secure: /;\s*secure/i.test(cookie),
		sameSite: "Lax" as const,
	};
	const context = await request.newContext({ baseURL, storageState: { cookies: [session], origins: [] } });
	const { user } = JSON.parse(text) as { user: User };
	return { email: body.email, password: body.password, user, api: new Client(context) };
}
