/** Gives each create its Idempotency-Key: the same one while its content is the same, so that no retry makes a second. */
export class CreateKeys {
	private content: string | null = null;
	private key = "";

	/** The key for a create with this content. */
	for(content: unknown): string {
		const written = JSON.stringify(content);
		if (written !== this.content) {
			this.content = written;
			this.key = newKey();
		}
		return this.key;
	}

	/** To be called when a create succeeded: the next one is another, even with the same content. */
	done(): void {
		this.content = null;
	}
}

/** 128 random bits in hexadecimal. crypto.randomUUID would need HTTPS, which a first trial on a VPS may not have. */
export function newKey(): string {
	const bytes = crypto.getRandomValues(new Uint8Array(16));
	return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
