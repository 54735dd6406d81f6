import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Plugin } from "vite";

/**
 * Emits a classic script into assets/ under a hashed name and loads it in <head>, before everything else. Vite bundles
 * modules only, and a module never runs before the first paint.
 */
export function bootScript(file: string): Plugin {
	let name = "";
	return {
		name: "rad-boot-script",
		buildStart() {
			if (this.meta.watchMode) return;
			const source = readFileSync(file, "utf8").replace(/^\s*\/\/.*\n/gm, "");
			const hash = createHash("sha256").update(source).digest("base64url").slice(0, 8);
			name = `assets/boot-${hash}.js`;
			this.emitFile({ type: "asset", fileName: name, source });
		},
		transformIndexHtml: {
			order: "post",
			handler: (_html, context) => [
				{ tag: "script", attrs: { src: context.server ? "/src/boot.js" : `/${name}` }, injectTo: "head-prepend" },
			],
		},
	};
}
