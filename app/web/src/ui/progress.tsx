/** How much of some work is done; share is null while nobody knows how much there is. */
export function Progress({ share, label }: { share: number | null; label: string }) {
	return share === null ? (
		<progress class="progress" aria-label={label} />
	) : (
		<progress class="progress" aria-label={label} max={1} value={share} />
	);
}
