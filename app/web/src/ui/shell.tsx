import type { ComponentChildren } from "preact";
import { useLocation } from "preact-iso";
import { service, take } from "../api/client.ts";
import { RequestError } from "../api/problem.ts";
import { triggersFired } from "../state/scaling-alert.ts";
import { isAdmin, signedOut } from "../state/session.ts";
import { type Theme, theme } from "../state/theme.ts";
import { shortly, toast } from "../state/toasts.ts";
import { strings } from "../strings.ts";
import { IconButton } from "./button.tsx";
import { Icon, type IconName, Logo } from "./icon.tsx";
import { Menu } from "./menu.tsx";

/** What surrounds every page of someone who is signed in. */
export function Shell({ children }: { children: ComponentChildren }) {
	const { route } = useLocation();
	return (
		<div class="shell">
			<a class="skip" href="#content">
				{strings.skip}
			</a>
			<header class="topbar">
				<Brand />
				<Navigation />
				<div class="topbar-tools">
					<ThemeButton />
					<Menu
						label={strings.nav.menu}
						icon="user"
						items={[
							{ label: strings.nav.account, icon: "user", run: () => route("/account") },
							{ label: strings.nav.signOut, icon: "signOut", run: () => void signOut(route) },
						]}
					/>
				</div>
			</header>
			<main id="content" class="content" tabIndex={-1}>
				{children}
			</main>
		</div>
	);
}

/** The frame of the panel while it is not yet known whose it is. */
export function Opening({ children }: { children?: ComponentChildren }) {
	return (
		<div class="shell">
			<header class="topbar">
				<Brand />
			</header>
			<main id="content" class="content">
				{children}
			</main>
		</div>
	);
}

function Brand() {
	return (
		<a class="brand" href="/panels">
			<Logo />
			<span>{strings.product}</span>
		</a>
	);
}

interface Place {
	href: string;
	/** The addresses that belong to it begin so. */
	within: string;
	label: string;
	icon: IconName;
}

function Navigation() {
	const { path } = useLocation();
	const places: Place[] = [
		{ href: "/panels", within: "/panels", label: strings.nav.panels, icon: "panels" },
		{ href: "/activity", within: "/activity", label: strings.nav.activity, icon: "jobs" },
		{ href: "/account", within: "/account", label: strings.nav.account, icon: "user" },
	];
	if (isAdmin.value) {
		places.push({ href: "/admin/scaling", within: "/admin", label: strings.nav.admin, icon: "scale" });
	}
	return (
		<nav class="navigation" aria-label={strings.nav.label}>
			{places.map((place) => (
				<a
					key={place.href}
					class="navigation-link"
					href={place.href}
					aria-current={path === place.href ? "page" : path.startsWith(place.within) ? "true" : undefined}
				>
					<Icon name={place.icon} />
					<span>{place.label}</span>
					{place.within === "/admin" && triggersFired.value > 0 && (
						<span class="alert-dot">
							<span class="visually-hidden">{strings.scaling.firedShort}</span>
						</span>
					)}
				</a>
			))}
		</nav>
	);
}

const following: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
const themeIcons: Record<Theme, IconName> = { system: "auto", light: "sun", dark: "moon" };

export function ThemeButton() {
	const now = theme.value;
	return (
		<IconButton
			icon={themeIcons[now]}
			label={strings.nav.theme[now]}
			onClick={() => {
				theme.value = following[now];
			}}
		/>
	);
}

async function signOut(route: (url: string) => void): Promise<void> {
	try {
		await take(service.DELETE("/api/v1/session"));
	} catch (error) {
		// A session that is over already is what was asked for; any other failure leaves the person signed in.
		if (!(error instanceof RequestError) || error.fault !== "signed-out") {
			toast({ tone: "bad", text: strings.nav.signOutFailed, lasts: shortly });
			return;
		}
	}
	// Whoever signs in next need not be the same person: nothing leads them to this page.
	route("/sign-in");
	signedOut(true);
}

/** The parts of a larger page, each with an address of its own. */
export function Tabs({ label, tabs }: { label: string; tabs: { href: string; label: string }[] }) {
	const { path } = useLocation();
	return (
		<nav class="tabs" aria-label={label}>
			{tabs.map((tab) => (
				<a key={tab.href} class="tab" href={tab.href} aria-current={path === tab.href ? "page" : undefined}>
					{tab.label}
				</a>
			))}
		</nav>
	);
}

/** The pages for administrators. */
export function AdminTabs() {
	return (
		<Tabs
			label={strings.nav.admin}
			tabs={[
				{ href: "/admin/scaling", label: strings.nav.scaling },
				{ href: "/admin/users", label: strings.nav.users },
				{ href: "/admin/jobs", label: strings.nav.jobs },
			]}
		/>
	);
}
