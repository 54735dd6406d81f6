import { defineConfig } from "@playwright/test";

const alone = /@alone/;

// The tests use a stack that is up: RAD_URL is its address. The browser is the system's; none is downloaded.
export default defineConfig({
	testDir: "e2e",
	globalSetup: "./e2e/setup.ts",
	outputDir: "test-results/runs",
	fullyParallel: true,
	workers: Number(process.env.RAD_E2E_WORKERS ?? 2),
	// What measures, or keeps the stack so busy that others would wait, has it to itself, once all others are done.
	projects: [
		{ name: "pages", grepInvert: alone },
		{ name: "alone", grep: alone, dependencies: ["pages"], workers: 1 },
	],
	forbidOnly: true,
	timeout: 60_000,
	expect: { timeout: 10_000 },
	reporter: [["list"]],
	use: {
		baseURL: process.env.RAD_URL ?? "http://127.0.0.1:8080",
		viewport: { width: 1280, height: 860 },
		// What fades in is judged when it is there, not on the way.
		contextOptions: { reducedMotion: "reduce" },
		screenshot: "only-on-failure",
		trace: "retain-on-failure",
		launchOptions: {
			executablePath: process.env.RAD_CHROMIUM ?? "/usr/bin/chromium",
			args: [
				"--no-sandbox",
				"--disable-gpu",
				"--disable-quic",
				"--no-first-run",
				"--disable-background-networking",
				"--disable-component-update",
				"--disable-sync",
			],
		},
	},
});
