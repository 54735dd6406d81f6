import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { bootScript } from "./build/boot-script.ts";
import { precompress } from "./build/precompress.ts";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
	plugins: [bootScript(at("./src/boot.js")), precompress({ firstLoad: 50_000, total: 100_000 })],
	build: {
		target: "baseline-widely-available",
		outDir: "dist",
		// The policy forbids inline scripts and styles, and data: is for images only: every asset is a file of its own.
		assetsInlineLimit: 0,
		cssCodeSplit: false,
		modulePreload: { polyfill: false },
		reportCompressedSize: false,
	},
	server: {
		// RAD_URL is a running stack: its API answers while the front end is served from its sources.
		proxy: { "/api": { target: process.env.RAD_URL ?? "http://127.0.0.1:8080", changeOrigin: true } },
	},
	test: { include: ["src/**/*.test.ts", "build/**/*.test.ts"], environment: "node" },
});
