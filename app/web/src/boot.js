// Runs before the first paint, as a small blocking script of its own: the chosen theme is set without a flash, and the
// question who is signed in is under way while the application's code still loads.
(() => {
	let user = null;
	try {
		const theme = localStorage.getItem("rad.theme");
		if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
		user = localStorage.getItem("rad.user");
	} catch {
		// Storage may be forbidden; the system's theme is right then.
	}
	// The cookie may outlive what this browser remembers. Where nobody is expected, the sign-in page does not wait long.
	window.radSession = fetch("/api/v1/session?optional=true", {
		credentials: "same-origin",
		signal: user ? null : AbortSignal.timeout(3_000),
	});
	window.radSession.catch(() => undefined);
})();
