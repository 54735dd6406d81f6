import { useEffect, useId, useRef, useState } from "preact/hooks";
import { Icon, type IconName } from "./icon.tsx";

export interface MenuItem {
	label: string;
	icon?: IconName;
	danger?: boolean;
	run: () => void;
}

/** A button that opens a menu below it. Arrow keys, Home, End and Escape work as in a desktop menu. */
export function Menu({ label, icon = "more", items }: { label: string; icon?: IconName; items: MenuItem[] }) {
	const id = useId();
	const [open, setOpen] = useState(false);
	const button = useRef<HTMLButtonElement>(null);
	const list = useRef<HTMLDivElement>(null);

	useEffect(() => {
		const menu = list.current;
		const anchor = button.current?.getBoundingClientRect();
		if (!open || !menu || !anchor) return;
		menu.showPopover();
		const size = menu.getBoundingClientRect();
		const below = anchor.bottom + 4 + size.height <= innerHeight;
		menu.style.left = `${Math.max(8, Math.min(anchor.right - size.width, innerWidth - size.width - 8))}px`;
		menu.style.top = `${below ? anchor.bottom + 4 : Math.max(8, anchor.top - size.height - 4)}px`;
		menu.querySelector<HTMLElement>("[role=menuitem]")?.focus();
		const close = () => setOpen(false);
		const closeOutside = (event: PointerEvent) => {
			const target = event.target as Node;
			if (!menu.contains(target) && !button.current?.contains(target)) setOpen(false);
		};
		addEventListener("pointerdown", closeOutside);
		addEventListener("scroll", close, { capture: true, passive: true });
		addEventListener("resize", close);
		return () => {
			removeEventListener("pointerdown", closeOutside);
			removeEventListener("scroll", close, { capture: true });
			removeEventListener("resize", close);
		};
	}, [open]);

	const move = (event: KeyboardEvent) => {
		const entries = [...(list.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
		const at = entries.indexOf(document.activeElement as HTMLElement);
		const to = { ArrowDown: at + 1, ArrowUp: at - 1 + entries.length, Home: 0, End: entries.length - 1 }[event.key];
		if (to !== undefined) {
			event.preventDefault();
			entries[to % entries.length]?.focus();
		} else if (event.key === "Tab") {
			setOpen(false);
		} else if (event.key === "Escape") {
			event.stopPropagation();
			setOpen(false);
			button.current?.focus();
		}
	};

	return (
		<>
			<button
				ref={button}
				type="button"
				class="icon-button"
				aria-label={label}
				title={label}
				aria-haspopup="menu"
				aria-expanded={open}
				aria-controls={open ? id : undefined}
				onClick={() => setOpen(!open)}
			>
				<Icon name={icon} />
			</button>
			{open && (
				<div ref={list} id={id} class="menu" role="menu" popover="manual" aria-label={label} onKeyDown={move}>
					{items.map((item) => (
						<button
							key={item.label}
							type="button"
							role="menuitem"
							tabIndex={-1}
							class={item.danger ? "menu-item menu-item-danger" : "menu-item"}
							onClick={() => {
								setOpen(false);
								button.current?.focus();
								item.run();
							}}
						>
							{item.icon && <Icon name={item.icon} size={16} />}
							{item.label}
						</button>
					))}
				</div>
			)}
		</>
	);
}
