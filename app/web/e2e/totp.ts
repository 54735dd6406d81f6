import { createHmac } from "node:crypto";

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The code that an authenticator app shows (RFC 6238: SHA-1, 30 s, 6 digits), so many steps from now. */
export function totp(secret: string, steps = 0): string {
	const bits = [...secret.replace(/[\s=]/g, "")]
		.map((one) => alphabet.indexOf(one).toString(2).padStart(5, "0"))
		.join("");
	const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
	const counter = Buffer.alloc(8);
	counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
	const digest = createHmac("sha1", key).update(counter).digest();
	const offset = (digest.at(-1) as number) & 15;
	return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}
