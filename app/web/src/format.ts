const language = "en";

const integers = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
const decimals = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
const dates = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const plurals = new Intl.PluralRules(language);

/** 12345 → "12,345" */
export const count = (value: number) => integers.format(value);

/** A measured number: whole from 100 on, one decimal below. */
export const measured = (value: number) => (Math.abs(value) >= 100 ? integers : decimals).format(value);

/** count(1, "record", "records") → "1 record" */
export const counted = (value: number, one: string, many: string) =>
	`${count(value)} ${plurals.select(value) === "one" ? one : many}`;

/** 0.42 → "42%" */
export const percent = (share: number) => `${decimals.format(share * 100)}%`;

const byteUnits = ["B", "KB", "MB", "GB", "TB"] as const;

/** A share of time in percent, cut and not rounded: 99.996 is not yet 100. */
export const availability = (value: number) => `${Math.floor(value * 100) / 100}%`;

/** Bytes in steps of 1,024, as the plan and its limits count: its 20 GB are 20 × 1,024³ bytes. */
export function bytes(value: number): string {
	let unit = 0;
	let amount = value;
	while (amount >= 1_023.5 && unit < byteUnits.length - 1) {
		amount /= 1_024;
		unit++;
	}
	return `${(amount < 10 && unit > 0 ? decimals : integers).format(amount)} ${byteUnits[unit]}`;
}

/** Milliseconds → "850 ms", "1.5 s" */
export const milliseconds = (value: number) =>
	value < 1_000 ? `${measured(value)} ms` : `${decimals.format(value / 1_000)} s`;

export const dateAndTime = (iso: string) => dates.format(new Date(iso));

const steps: [Intl.RelativeTimeFormatUnit, number][] = [
	["minute", 60],
	["hour", 3_600],
	["day", 86_400],
	["week", 604_800],
	["month", 2_629_800],
	["year", 31_557_600],
];

/** "3 minutes ago", "in 2 days", "just now" */
export function ago(iso: string, now: number = Date.now()): string {
	const seconds = (Date.parse(iso) - now) / 1_000;
	if (Math.abs(seconds) < 45) return "just now";
	let [unit, size] = steps[0] as (typeof steps)[number];
	for (const [larger, itsSize] of steps) {
		if (Math.abs(seconds) < itsSize * 0.95) break;
		[unit, size] = [larger, itsSize];
	}
	return relative.format(Math.round(seconds / size), unit);
}

/** Seconds → "45 s", "12 min", "3 h 20 min", "2 d 4 h" */
export function duration(seconds: number): string {
	if (seconds < 90) return `${integers.format(seconds)} s`;
	const minutes = Math.round(seconds / 60);
	if (minutes < 60) return `${minutes} min`;
	const hours = Math.floor(minutes / 60);
	if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
	const days = Math.floor(hours / 24);
	return hours % 24 === 0 ? `${days} d` : `${days} d ${hours % 24} h`;
}
