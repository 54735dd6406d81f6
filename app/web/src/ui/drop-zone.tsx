import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import { Button } from "./button.tsx";
import { Icon } from "./icon.tsx";

interface DropZoneProps {
	/** What the button says. */
	label: string;
	hint: string;
	/** Types of files, as an input takes them. */
	accept?: string;
	multiple?: boolean;
	onFiles: (files: File[]) => void;
	children?: ComponentChildren;
}

/** A place to drop files on, with a button that does the same for keyboards and phones. */
export function DropZone({ label, hint, accept, multiple = false, onFiles, children }: DropZoneProps) {
	const input = useRef<HTMLInputElement>(null);
	const [over, setOver] = useState(false);
	return (
		// biome-ignore lint/a11y/noStaticElementInteractions: dropping is a second way; the button inside is the first.
		<div
			class={`drop-zone${over ? " drop-zone-over" : ""}`}
			onDragOver={(event) => {
				event.preventDefault();
				setOver(true);
			}}
			onDragLeave={(event) => {
				if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
			}}
			onDrop={(event) => {
				event.preventDefault();
				setOver(false);
				const files = [...(event.dataTransfer?.files ?? [])];
				if (files.length > 0) onFiles(multiple ? files : files.slice(0, 1));
			}}
		>
			<input
				ref={input}
				type="file"
				hidden
				aria-label={label}
				accept={accept}
				multiple={multiple}
				onChange={(event) => {
					onFiles([...(event.currentTarget.files ?? [])]);
					event.currentTarget.value = "";
				}}
			/>
			<Icon name="upload" size={22} />
			<Button onClick={() => input.current?.click()}>{label}</Button>
			<span class="hint">{hint}</span>
			{children}
		</div>
	);
}
