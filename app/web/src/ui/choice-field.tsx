import { useId } from "preact/hooks";

interface ChoiceFieldProps<T extends string> {
	label: string;
	value: T;
	choices: Record<T, string>;
	onChoose: (value: T) => void;
}

/** One choice out of a few, in a toolbar. */
export function ChoiceField<T extends string>({ label, value, choices, onChoose }: ChoiceFieldProps<T>) {
	const id = useId();
	return (
		<div class="choice">
			<label for={id}>{label}</label>
			<select id={id} class="input" value={value} onChange={(event) => onChoose(event.currentTarget.value as T)}>
				{(Object.entries(choices) as [T, string][]).map(([key, name]) => (
					<option key={key} value={key}>
						{name}
					</option>
				))}
			</select>
		</div>
	);
}
