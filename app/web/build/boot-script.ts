import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Plugin } from "vite";

/**
 * Emits a classic script into assets/ under a hashed name and loads it in <head>, before everything else. Vite bundles
 * modules only, and a module never runs before the first paint.
 */
export function bootScript(file: string): Plugin {
	let name = "";
	let serving = false;
	return {
		name: "rad-boot-script",
		configResolved(config) {
			serving = config.command === "serve";
		},
		buildStart() {
			if (serving) return;
			const source = readFileSync(file, "utf8").replace(/^\s*\/\/.*\n/gm, "");
			const hash = createHash("sha256").update(source).digest("base64url").slice(0, 8);
			name = `assets/boot-${hash}.js`;
			this.emitFile({ type: "asset", fileName: name, source });
		},
		transformIndexHtml: {
			order: "post",
			handler: () => [
				{ tag: "script", attrs: { src: serving ? "/src/boot.js" : `/${name}` }, injectTo: "head-prepend" },
			],
		},
	};
}
