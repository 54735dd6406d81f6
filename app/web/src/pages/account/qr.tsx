import { encode } from "uqr";
import { strings } from "../../strings.ts";

/** Free modules around the code, as the standard asks for. */
const quiet = 4;

/** A QR code, drawn here: what it says is a secret and goes to nobody. */
export function QRCode({ content }: { content: string }) {
	const { data, size } = encode(content, { ecc: "M", border: 0 });
	const path = data
		.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x + quiet} ${y + quiet}h1v1h-1z` : "")))
		.join("");
	const side = size + 2 * quiet;
	return (
		<svg class="qr" viewBox={`0 0 ${side} ${side}`} role="img" aria-label={strings.account.totp.qr}>
			<rect class="qr-ground" width={side} height={side} />
			<path class="qr-code" d={path} />
		</svg>
	);
}
