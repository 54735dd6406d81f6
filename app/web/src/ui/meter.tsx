interface MeterProps {
	label: string;
	/** Share of the limit in use: 1 is all of it; undefined when it is not measured. */
	share: number | undefined;
	/** What it says in words, such as "12 of 100". */
	value: string;
}

/** How much of a limit is in use, on a ruler. Its state is told by the text beside it too, never by colour alone. */
export function Meter({ label, share, value }: MeterProps) {
	const tone = share === undefined ? "unknown" : share > 1 ? "over" : share >= 0.8 ? "near" : "under";
	if (share === undefined) return <div class="meter meter-unknown" aria-hidden="true" />;
	return (
		// biome-ignore lint/a11y/useSemanticElements: browsers draw <meter> each in their own way.
		<div
			class={`meter meter-${tone}`}
			role="meter"
			aria-label={label}
			aria-valuemin={0}
			aria-valuemax={100}
			aria-valuenow={Math.min(100, Math.round(share * 100))}
			aria-valuetext={value}
		>
			<div class="meter-fill" style={{ width: `${Math.min(100, share * 100)}%` }} />
		</div>
	);
}
