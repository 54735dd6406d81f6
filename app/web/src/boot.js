// Runs before the first paint, as a small blocking script of its own: the chosen theme is set without a flash, and the
// question who is signed in is under way while the application's code still loads.
(() => {
	let user = null;
	try {
		const theme = localStorage.getItem("rad.theme");
		if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
		user = localStorage.getItem("rad.user");
	} catch {
		// Storage may be forbidden; the system's theme and the sign-in page are right then.
	}
	if (user) {
		window.radSession = fetch("/api/v1/session", { credentials: "same-origin" });
		window.radSession.catch(() => undefined);
	}
})();
