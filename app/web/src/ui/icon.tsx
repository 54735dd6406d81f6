/** Line icons on a grid of 20, drawn for this panel. */
const shapes = {
	add: "M10 4v12M4 10h12",
	alert: "M10 3 18 17H2Zm0 5v4.5m0 2.2v.3",
	arrowDown: "M10 4v12m-4.5-4.5L10 16l4.5-4.5",
	arrowUp: "M10 16V4M5.5 8.5 10 4l4.5 4.5",
	auto: "M10 3a7 7 0 1 0 0 14Zm0 0a7 7 0 0 1 0 14",
	busy: "M10 3a7 7 0 1 1-7 7",
	check: "m4 10.5 4 4 8-9",
	chevron: "m6 8 4 4 4-4",
	close: "m5 5 10 10M15 5 5 15",
	columns: "M3 4h14v12H3Zm5 0v12m4.5-12v12",
	download: "M10 3v9m-4-3.5 4 4 4-4M3.5 16.5h13",
	edit: "M4 16v-3l8.5-8.5 3 3L7 16Zm6.5-9.5 3 3",
	file: "M5 2.5h6.5L15.5 6.5v11h-10.5Zm6 0V7h4.5",
	image: "M3 4h14v12H3Zm0 9 4-4 4 4 2-2 4 4M13 7.5v.1",
	jobs: "M4 5.5h12M4 10h8m-8 4.5h5m4 0 1.5 1.5 3-3.5",
	key: "M12.5 3.5a4 4 0 1 1-2.8 6.85L4 16H2.5v-2.5l6.15-6.2A4 4 0 0 1 12.5 3.5Zm.8 3.2v.1",
	moon: "M16 12.2A6.8 6.8 0 0 1 7.8 4a6.5 6.5 0 1 0 8.2 8.2Z",
	more: "M4.6 10a.4.4 0 1 0 .8 0 .4.4 0 1 0-.8 0m5 0a.4.4 0 1 0 .8 0 .4.4 0 1 0-.8 0m5 0a.4.4 0 1 0 .8 0 .4.4 0 1 0-.8 0",
	open: "M8 4H4v12h12v-4m-4.5-8H16v4.5M16 4l-7 7",
	panels: "M3 3.5h6v6H3Zm8 0h6v6h-6Zm-8 8h6v5H3Zm8 0h6v5h-6Z",
	retry: "M16 10a6 6 0 1 1-1.8-4.25M16 3v4h-4",
	scale: "M3 16.5h14M4.5 13.5v-3m3.7 3v-5m3.7 5v-7.5m3.6 7.5V3",
	search: "M9 3.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11Zm4 9.5 4 4",
	signOut: "M8 3.5H4v13h4m4-10 3.5 3.5-3.5 3.5m3-3.5H8",
	sun: "M10 6.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7ZM10 2v1.5m0 13V18m8-8h-1.5m-13 0H2m13.65-5.65-1.05 1.05m-9.2 9.2-1.05 1.05m11.3 0-1.05-1.05M5.4 5.4 4.35 4.35",
	trash: "M3.5 5.5h13m-8.5-2.5h4m-7 2.5.8 11h8.4l.8-11M8.3 8.5v5m3.4-5v5",
	undo: "M7 4 3.5 7.5 7 11m-3.5-3.5h8a4.5 4.5 0 0 1 0 9H8",
	upload: "M10 12.5v-9M6 7l4-4 4 4M3.5 16.5h13",
	user: "M10 3.5a3.2 3.2 0 1 1 0 6.4 3.2 3.2 0 0 1 0-6.4ZM3.5 17c.6-3.2 3.3-4.7 6.5-4.7s5.9 1.5 6.5 4.7",
	users:
		"M7.5 4a2.9 2.9 0 1 1 0 5.8 2.9 2.9 0 0 1 0-5.8ZM2 16c.5-2.8 2.7-4 5.5-4s5 1.2 5.5 4m0-11.8a2.9 2.9 0 0 1 0 5.4m1.8 2.6c1.7.5 2.9 1.7 3.2 3.8",
} as const;

export type IconName = keyof typeof shapes;

/** An icon beside a text or inside a labelled button: it has no name of its own. */
export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
	return (
		<svg
			class={name === "busy" ? "icon icon-busy" : "icon"}
			width={size}
			height={size}
			viewBox="0 0 20 20"
			fill="none"
			stroke="currentColor"
			stroke-width="1.6"
			stroke-linecap="round"
			stroke-linejoin="round"
			aria-hidden="true"
		>
			<path d={shapes[name]} />
		</svg>
	);
}

/** The mark of the panel: a small panel among larger ones, as the plan's tiers grow. */
export function Logo({ size = 28 }: { size?: number }) {
	return (
		<svg class="logo" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
			<rect class="logo-ground" width="32" height="32" rx="8" />
			<rect class="logo-step logo-step-1" x="7" y="18.5" width="4.5" height="6.5" rx="1.2" />
			<rect class="logo-step logo-step-2" x="13.75" y="13" width="4.5" height="12" rx="1.2" />
			<rect class="logo-step logo-step-3" x="20.5" y="7" width="4.5" height="18" rx="1.2" />
		</svg>
	);
}
