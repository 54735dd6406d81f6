/** Line icons on a grid of 20, drawn for this panel. */
const shapes = {
	add: "M10 4v12M4 10h12",
	alert: "M10 3 18 17H2Zm0 5v4.5m0 2.2v.3",
	arrowDown: "M10 4v12m-4.5-4.5L10 16l4.5-4.5",
	arrowUp: "M10 16V4M5.500 8.500 10 4l4.500 4.500",
	auto: "M10 3a7 7 0 1 0 0 14Zm0 0a7 7 0 0 1 0 14",
	busy: "M10 3a7 7 0 1 1-7 7",
	check: "m4 10.500 4 4 8-9",
	chevron: "m6 8 4 4 4-4",
	close: "m5 5 10 10M15 5 5 15",
	columns: "M3 4h14v12H3Zm5 0v12m4.500-12v12",
	download: "M10 3v9m-4-3.500 4 4 4-4M3.500 16.500h13",
	drag: "M7.500 5v.1m5-.1v.1m-5 4.900v.1m5-.1v.1m-5 4.900v.1m5-.1v.1",
	edit: "M4 16v-3l8.500-8.500 3 3L7 16Zm6.500-9.500 3 3",
	file: "M5 2.500h6.500L15.500 6.500v11h-10.500Zm6 0V7h4.500",
	image: "M3 4h14v12H3Zm0 9 4-4 4 4 2-2 4 4M13 7.500v.1",
	jobs: "M4 5.500h12M4 10h8m-8 4.500h5m4 0 1.500 1.500 3-3.500",
	key: "M12.500 3.500a4 4 0 1 1-2.800 6.850L4 16H2.500v-2.500l6.150-6.200A4 4 0 0 1 12.500 3.500Zm.8 3.200v.1",
	menu: "M3.500 6h13m-13 4h13m-13 4h13",
	moon: "M16 12.200A6.800 6.800 0 0 1 7.800 4a6.500 6.500 0 1 0 8.200 8.200Z",
	more: "M4.500 10v.1m5.500-.1v.1m5.500-.1v.1",
	open: "M8 4H4v12h12v-4m-4.500-8H16v4.500M16 4l-7 7",
	panels: "M3 3.500h6v6H3Zm8 0h6v6h-6Zm-8 8h6v5H3Zm8 0h6v5h-6Z",
	retry: "M16 10a6 6 0 1 1-1.800-4.250M16 3v4h-4",
	scale: "M3 16.500h14M4.500 13.500v-3m3.700 3v-5m3.700 5v-7.500m3.600 7.500V3",
	search: "M9 3.500a5.500 5.500 0 1 1 0 11 5.500 5.500 0 0 1 0-11Zm4 9.500 4 4",
	signOut: "M8 3.500H4v13h4m4-10 3.500 3.500-3.500 3.500m3-3.500H8",
	sun: "M10 6.500a3.500 3.500 0 1 1 0 7 3.500 3.500 0 0 1 0-7ZM10 2v1.500m0 13V18m8-8h-1.500m-13 0H2m13.650-5.650-1.050 1.050m-9.200 9.200-1.050 1.050m11.300 0-1.050-1.050M5.400 5.400 4.350 4.350",
	trash: "M3.500 5.500h13m-8.500-2.500h4m-7 2.500.8 11h8.400l.8-11M8.300 8.500v5m3.400-5v5",
	undo: "M7 4 3.500 7.500 7 11m-3.500-3.500h8a4.500 4.500 0 0 1 0 9H8",
	upload: "M10 12.500v-9M6 7l4-4 4 4M3.500 16.500h13",
	user: "M10 3.500a3.200 3.200 0 1 1 0 6.400 3.200 3.200 0 0 1 0-6.400ZM3.500 17c.6-3.200 3.300-4.700 6.500-4.700s5.900 1.500 6.500 4.700",
	users:
		"M7.500 4a2.900 2.900 0 1 1 0 5.800 2.900 2.900 0 0 1 0-5.800ZM2 16c.5-2.800 2.700-4 5.500-4s5 1.200 5.500 4m0-11.800a2.900 2.900 0 0 1 0 5.400m1.800 2.600c1.700.5 2.900 1.700 3.200 3.800",
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
			<rect class="logo-step logo-step-1" x="7" y="18.500" width="4.500" height="6.500" rx="1.200" />
			<rect class="logo-step logo-step-2" x="13.750" y="13" width="4.500" height="12" rx="1.200" />
			<rect class="logo-step logo-step-3" x="20.500" y="7" width="4.500" height="18" rx="1.200" />
		</svg>
	);
}
