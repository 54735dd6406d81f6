/** Longer loads say more about the browser's day than about the service. */
const longest = 60_000;

export interface PageLoad {
	load_ms: number;
	cold: boolean;
}

/** What one load of the whole page took, once its load event is over. */
export function pageLoadOf(
	navigation: Pick<PerformanceNavigationTiming, "loadEventEnd"> | undefined,
	scripts: readonly Pick<PerformanceResourceTiming, "transferSize" | "encodedBodySize">[],
): PageLoad | undefined {
	const took = Math.round(navigation?.loadEventEnd ?? 0);
	if (took < 1 || took > longest) return undefined;
	// A script that came without a transfer came from the cache.
	const cached = scripts.some((script) => script.transferSize === 0 && script.encodedBodySize > 0);
	return { load_ms: took, cold: scripts.length > 0 && !cached };
}
