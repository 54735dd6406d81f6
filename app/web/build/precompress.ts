import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin, Rolldown } from "vite";

type OutputChunk = Rolldown.OutputChunk;

/** Compressed JavaScript, in bytes of gzip -9. */
export interface Budget {
	/** What the browser runs before it can show the first page: the entry, all that it imports, and the largest page. */
	firstLoad: number;
	/** Every script together. */
	total: number;
}

const compressible = /\.(?:js|css|html|svg|json|txt|webmanifest)$/;

/**
 * Writes a .gz and a .br beside every file that compresses (Nginx serves them as they are), prints what a first visit
 * costs, and fails the build when the scripts outgrow their budget.
 */
export function precompress(budget: Budget): Plugin {
	let directory = "";
	const chunks: OutputChunk[] = [];
	return {
		name: "rad-precompress",
		apply: "build",
		configResolved(config) {
			directory = join(config.root, config.build.outDir);
		},
		generateBundle(_options, bundle: Rolldown.OutputBundle) {
			for (const part of Object.values(bundle)) {
				if (part.type === "chunk") chunks.push(part);
			}
		},
		closeBundle() {
			const sizes = compressAll(directory);
			const size = (name: string) => sizes.get(name) ?? 0;
			const entry = chunks.find((chunk) => chunk.isEntry);
			if (!entry) throw new Error("the build has no entry: index.html must load src/main.tsx");
			const start = importsOf(entry, chunks);
			const scripts = [...sizes.keys()].filter((name) => name.endsWith(".js"));
			const boot = scripts.filter((name) => name.startsWith("assets/boot-"));
			const base = sum([...start, ...boot].map(size));
			const pages = entry.dynamicImports.map((name) => {
				const own = [...importsOf(find(name, chunks), chunks)].filter((part) => !start.has(part));
				return { name, bytes: sum(own.map(size)) };
			});
			const largest = pages.reduce((most, page) => Math.max(most, page.bytes), 0);
			const styles = sum([...sizes.keys()].filter((name) => name.endsWith(".css")).map(size));
			const total = sum(scripts.map(size));
			const report = [
				"",
				"compressed (gzip -9), kB:",
				...pages
					.sort((a, b) => b.bytes - a.bytes)
					.map((page) => `  ${kilobytes(page.bytes)}  page ${page.name.replace(/^assets\/|-[^-]+\.js$/g, "")}`),
				`  ${kilobytes(styles)}  styles`,
				`  ${kilobytes(base)}  script of every page`,
				`  ${kilobytes(base + largest)}  first load at most (budget ${kilobytes(budget.firstLoad)})`,
				`  ${kilobytes(total)}  all scripts (budget ${kilobytes(budget.total)})`,
			];
			process.stdout.write(`${report.join("\n")}\n`);
			if (base + largest > budget.firstLoad || total > budget.total) {
				throw new Error(
					`the scripts outgrew their budget: first load ${kilobytes(base + largest)} of ${kilobytes(budget.firstLoad)} kB, all ${kilobytes(total)} of ${kilobytes(budget.total)} kB; load more of them lazily or drop a dependency`,
				);
			}
		},
	};
}

/** Compresses every file under directory; gives the gzip size of each by its path. */
function compressAll(directory: string): Map<string, number> {
	const sizes = new Map<string, number>();
	for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
		if (!compressible.test(name)) continue;
		const path = join(directory, name);
		const content = readFileSync(path);
		const gzip = gzipSync(content, { level: 9 });
		const brotli = brotliCompressSync(content, {
			params: {
				[constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
				[constants.BROTLI_PARAM_SIZE_HINT]: content.length,
			},
		});
		writeFileSync(`${path}.gz`, gzip);
		writeFileSync(`${path}.br`, brotli);
		sizes.set(name, gzip.length);
	}
	return sizes;
}

/** The names of a chunk and of all that it imports statically. */
function importsOf(chunk: OutputChunk, all: OutputChunk[], seen = new Set<string>()): Set<string> {
	seen.add(chunk.fileName);
	for (const name of chunk.imports) {
		if (!seen.has(name)) importsOf(find(name, all), all, seen);
	}
	return seen;
}

function find(name: string, chunks: OutputChunk[]): OutputChunk {
	const chunk = chunks.find((candidate) => candidate.fileName === name);
	if (!chunk) throw new Error(`chunk ${name} is imported but was not built`);
	return chunk;
}

const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);
const kilobytes = (bytes: number) => (bytes / 1000).toFixed(1).padStart(5);
