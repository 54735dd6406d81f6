/** A browser as people call it: "Firefox on Linux". */
export function deviceOf(userAgent: string): string | undefined {
	const browser = firstOf(userAgent, browsers);
	const system = firstOf(userAgent, systems);
	if (!browser && !system) return userAgent.split(/[ /]/)[0] || undefined;
	return browser && system ? `${browser} on ${system}` : (browser ?? system);
}

// In this order: each browser also calls itself by the names of those it descends from.
const browsers: [RegExp, string][] = [
	[/\bEdg(?:e|A|iOS)?\//, "Edge"],
	[/\bOPR\/|\bOpera\b/, "Opera"],
	[/\bSamsungBrowser\//, "Samsung Internet"],
	[/\bFirefox\/|\bFxiOS\//, "Firefox"],
	[/\bHeadlessChrome\//, "Headless Chrome"],
	[/\bChrome\/|\bCriOS\//, "Chrome"],
	[/\bSafari\//, "Safari"],
	[/\bcurl\//, "curl"],
];

const systems: [RegExp, string][] = [
	[/\biPhone\b/, "iPhone"],
	[/\biPad\b/, "iPad"],
	[/\bAndroid\b/, "Android"],
	[/\bWindows\b/, "Windows"],
	[/\bMac OS X\b|\bMacintosh\b/, "macOS"],
	[/\bCrOS\b/, "ChromeOS"],
	[/\bLinux\b/, "Linux"],
];

const firstOf = (text: string, names: [RegExp, string][]) => names.find(([pattern]) => pattern.test(text))?.[1];
