import { useEffect } from "preact/hooks";
import { LocationProvider, Route, Router, useLocation } from "preact-iso";
import NotFound from "./pages/not-found.tsx";
import Renewal from "./pages/renewal.tsx";
import { openingError, openSession } from "./state/opening.ts";
import { isAdmin, isExpected, renewal, standing } from "./state/session.ts";
import { ConnectionBanner } from "./ui/connection-banner.tsx";
import { CrashGuard } from "./ui/crash.tsx";
import { lazy } from "./ui/lazy.tsx";
import { Opening, Shell } from "./ui/shell.tsx";
import { Failed } from "./ui/states.tsx";
import { Toasts } from "./ui/toasts.tsx";

const SignIn = lazy(() => import("./pages/sign-in.tsx"));
const SignUp = lazy(() => import("./pages/sign-up.tsx"));
const Panels = lazy(() => import("./pages/panels.tsx"));
const Panel = lazy(() => import("./pages/panel.tsx"));
const Activity = lazy(() => import("./pages/activity.tsx"));
const Account = lazy(() => import("./pages/account.tsx"));
const Users = lazy(() => import("./pages/users.tsx"));
const Jobs = lazy(() => import("./pages/jobs.tsx"));
const Scaling = lazy(() => import("./pages/scaling.tsx"));

const adminRoutes = [
	<Route key="scaling" path="/admin/scaling" component={Scaling} />,
	<Route key="users" path="/admin/users" component={Users} />,
	<Route key="jobs" path="/admin/jobs" component={Jobs} />,
];

/** Where someone lands who is signed in and asked for no page in particular. */
const home = "/panels";

export function App() {
	return (
		// Addresses of the API, such as downloads, are left to the browser.
		<LocationProvider scope={/^\/(?!api\/)/}>
			<ConnectionBanner />
			<Rooms />
			{renewal.value && <Renewal />}
			<Toasts />
		</LocationProvider>
	);
}

/** The part of the house that the person may enter: the door, or the rooms behind it. */
function Rooms() {
	const { path, url, query, route } = useLocation();
	const atDoor = path === "/sign-in" || path === "/sign-up";
	const now = standing.value;

	const detour =
		now === "signed-out" && !atDoor
			? url === "/" || url === home
				? "/sign-in"
				: `/sign-in?next=${encodeURIComponent(url)}`
			: now === "signed-in" && (atDoor || path === "/")
				? inside(query.next)
				: undefined;
	useEffect(() => {
		if (detour !== undefined) route(detour, true);
	}, [detour, route]);
	// biome-ignore lint/correctness/useExhaustiveDependencies: a signal's value, read when the session is there.
	useEffect(() => {
		if (now === "signed-in") whenIdle(() => preload(isAdmin.value));
	}, [now]);

	if (openingError.value && now === "unknown") {
		return (
			<Opening>
				<Failed error={openingError.value} retry={() => void openSession()} />
			</Opening>
		);
	}
	// Where nobody is expected, the frame would most likely make way for the sign-in page at once.
	if (now === "unknown" && !isExpected()) return null;
	if (now === "unknown" || detour !== undefined) return <Opening />;
	if (now === "signed-out") {
		return (
			<CrashGuard path={path}>
				<Router>
					<Route path="/sign-in" component={SignIn} />
					<Route path="/sign-up" component={SignUp} />
				</Router>
			</CrashGuard>
		);
	}
	return (
		<Shell>
			<CrashGuard path={path}>
				<Router>
					<Route path="/panels" component={Panels} />
					<Route path="/panels/:id/:part?" component={Panel} />
					<Route path="/activity" component={Activity} />
					<Route path="/account" component={Account} />
					{isAdmin.value ? adminRoutes : []}
					<Route default component={NotFound} />
				</Router>
			</CrashGuard>
		</Shell>
	);
}

/** The address to go on with after signing in: one of this panel's own, never a foreign one. */
function inside(next: string | undefined): string {
	if (!next || !URL.canParse(next, location.origin)) return home;
	const url = new URL(next, location.origin);
	return url.origin === location.origin && next.startsWith("/") ? url.pathname + url.search : home;
}

/** Brings the other pages' code while nothing else happens, so that they open without a wait. */
function preload(admin: boolean): void {
	const pages = [Panel, Panels, Activity, Account, ...(admin ? [Scaling, Users, Jobs] : [])];
	for (const page of pages) page.preload().catch(() => undefined);
}

function whenIdle(work: () => void): void {
	const saving = (navigator as { connection?: { saveData?: boolean } }).connection?.saveData;
	if (saving) return;
	if ("requestIdleCallback" in window) requestIdleCallback(work, { timeout: 5_000 });
	else setTimeout(work, 1_000);
}
