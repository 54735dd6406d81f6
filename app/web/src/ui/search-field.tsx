import { useEffect, useId, useRef, useState } from "preact/hooks";
import { Icon } from "./icon.tsx";

/** Typing is answered once it pauses for so many milliseconds. */
const pause = 250;

interface SearchFieldProps {
	label: string;
	placeholder?: string;
	value: string;
	onSearch: (value: string) => void;
}

/** A search that follows what is typed. */
export function SearchField({ label, placeholder = label, value, onSearch }: SearchFieldProps) {
	const id = useId();
	const [typed, setTyped] = useState(value);
	const input = useRef<HTMLInputElement>(null);
	const search = useRef(onSearch);
	search.current = onSearch;

	// Set from outside, such as by "show all", unless the person is just typing here.
	useEffect(() => {
		if (document.activeElement !== input.current) setTyped(value);
	}, [value]);
	useEffect(() => {
		if (typed.trim() === value) return;
		const timer = setTimeout(() => search.current(typed.trim()), pause);
		return () => clearTimeout(timer);
	}, [typed, value]);

	return (
		<div class="search">
			<label class="visually-hidden" for={id}>
				{label}
			</label>
			<Icon name="search" />
			<input
				ref={input}
				id={id}
				class="input"
				type="search"
				placeholder={placeholder}
				value={typed}
				maxLength={200}
				autocomplete="off"
				onInput={(event) => setTyped(event.currentTarget.value)}
				onKeyDown={(event) => {
					if (event.key === "Enter") search.current(typed.trim());
				}}
			/>
		</div>
	);
}
