import { expect, test } from "vitest";
import { ago, bytes, counted, duration, measured, milliseconds, percent } from "./format.ts";
import { deviceOf } from "./pages/account/device.ts";

test.each([
	[0, "0 B"],
	[1_023, "1,023 B"],
	[1_024, "1 KB"],
	[1_536, "1.5 KB"],
	[26_214_400, "25 MB"],
	[21_474_836_480, "20 GB"],
])("%d bytes are %s", (value, expected) => expect(bytes(value)).toBe(expected));

const now = Date.parse("2026-06-15T12:00:00Z");
test.each([
	["2026-06-15T11:59:40Z", "just now"],
	["2026-06-15T11:57:00Z", "3 minutes ago"],
	["2026-06-15T10:00:00Z", "2 hours ago"],
	["2026-06-14T12:00:00Z", "yesterday"],
	["2026-06-01T12:00:00Z", "2 weeks ago"],
	["2026-06-17T12:00:00Z", "in 2 days"],
	["2024-06-15T12:00:00Z", "2 years ago"],
])("%s is %s", (iso, expected) => expect(ago(iso, now)).toBe(expected));

test.each([
	[45, "45 s"],
	[600, "10 min"],
	[3_600, "1 h"],
	[12_000, "3 h 20 min"],
	[90_000, "1 d 1 h"],
])("%d seconds are %s", (seconds, expected) => expect(duration(seconds)).toBe(expected));

test("numbers are short where precision says nothing", () => {
	expect(measured(1_234.56)).toBe("1,235");
	expect(measured(12.345)).toBe("12.3");
	expect(milliseconds(850)).toBe("850 ms");
	expect(milliseconds(1_500)).toBe("1.5 s");
	expect(percent(0.4217)).toBe("42.2%");
	expect(counted(1, "record", "records")).toBe("1 record");
	expect(counted(100_000, "record", "records")).toBe("100,000 records");
});

test.each([
	["Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", "Firefox on Linux"],
	[
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
		"Safari on iPhone",
	],
	[
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36 Edg/126.0",
		"Edge on Windows",
	],
	["curl/8.5.0", "curl"],
	["my-script/1.0", "my-script"],
	["", undefined],
])("%s is %s", (agent, expected) => expect(deviceOf(agent)).toBe(expected));
