import type { RequestError } from "./api/problem.ts";
import { count, counted } from "./format.ts";

/** Every English text of the panel. A second language is a second file of this shape. */
export const strings = {
	product: "RAD Panel",
	close: "Close",
	cancel: "Cancel",
	save: "Save",
	loading: "Loading",
	loadMore: "Show more",
	search: "Search",
	refresh: "Refresh",
	you: "you",
	skip: "Skip to the content",

	nav: {
		label: "Main",
		panels: "Panels",
		activity: "Activity",
		admin: "Admin",
		users: "Users",
		jobs: "Jobs",
		scaling: "Scaling",
		account: "Account",
		signOut: "Sign out",
		signOutFailed: "The service could not be told, so you are still signed in. Try again.",
		menu: "Your account",
		theme: { label: "Theme", system: "Theme: as the device", light: "Theme: light", dark: "Theme: dark" },
	},

	connection: {
		offline: "No connection. Nothing you typed is lost; it can be saved when the connection is back.",
		busy: (seconds: number) => `The service is busy. Trying again in ${seconds} s…`,
		busyNow: "The service is busy. Trying again…",
	},

	toasts: { region: "Messages", close: "Dismiss", progress: "Progress" },

	failed: { title: "This could not be shown", retry: "Try again" },
	crash: {
		title: "Something went wrong here",
		text: "This page hit a fault of ours. What you saved is safe. Loading the page again usually helps.",
		reload: "Load again",
	},
	notFound: {
		title: "There is nothing here",
		text: "The address may be mistyped, or what was here has been deleted.",
		home: "To your panels",
	},

	password: {
		label: "Password",
		current: "Current password",
		new: "New password",
		show: "Show",
		hide: "Hide",
		rule: "8 to 128 characters. A few words that only you would put together are best.",
		tooShort: "Use at least 8 characters.",
	},

	signIn: {
		title: "Sign in",
		lead: "Your panels are where you left them.",
		email: "E-mail",
		submit: "Sign in",
		noAccount: "No account yet?",
		toSignUp: "Create one",
		wrong: "E-mail and password do not match an account. Check both and try again.",
		codeTitle: "Enter your code",
		codeLead: "Open your authenticator app and type the six digits that it shows for RAD Panel.",
		code: "Six-digit code",
		codeWrong: "That code is not right, or was used already. Wait for the next one and try again.",
		recoveryLead: "Type one of the recovery codes that you kept. Each of them works once.",
		recoveryCode: "Recovery code",
		recoveryWrong: "That recovery code is not right, or was used already.",
		useRecovery: "Use a recovery code instead",
		useCode: "Use the authenticator app instead",
		startOver: "Start over",
	},
	signUp: {
		title: "Create your account",
		lead: "One minute, and your first panel is yours.",
		name: "Name",
		nameHint: "How the panel greets you. You can leave it empty.",
		submit: "Create account",
		haveAccount: "Have an account?",
		toSignIn: "Sign in",
		taken: "There is an account with this e-mail already. Sign in instead, or use another address.",
	},
	aside: {
		title: "Start small. Grow when the numbers say so.",
		text: "Panels over your own data: records in a table, files beside them, everything yours to take out again.",
		steps: ["100", "500", "2K", "10K", "50K+"],
		caption: "users",
	},
	renewal: {
		title: "Sign in again",
		lead: "Your session has ended. Sign in, and what you were doing goes on: nothing you typed is lost.",
		leave: "Leave without saving",
	},

	panels: {
		title: "Panels",
		create: "New panel",
		searchLabel: "Search panels by name",
		sortLabel: "Sort by",
		sorts: {
			"-updated": "Last changed",
			updated: "Longest unchanged",
			name: "Name, A to Z",
			"-name": "Name, Z to A",
			"-created": "Newest",
			created: "Oldest",
		},
		emptyTitle: "Your first panel",
		emptyText: "A panel keeps records in a table and files beside them: contacts, an inventory, anything with rows.",
		noMatchTitle: "No panel of that name",
		noMatchText: (query: string) => `Nothing you own has “${query}” in its name.`,
		clearSearch: "Show all panels",
		columnsOf: (columns: readonly string[]) => columns.join(" · "),
		noColumns: "No columns yet",
		updated: "Changed",
		actions: (name: string) => `Actions for ${name}`,
		rename: "Rename",
		remove: "Delete",
		deleted: (name: string) => `Deleted “${name}”.`,
		undo: "Undo",
		restored: (name: string) => `“${name}” is back.`,
		recentlyDeleted: "Recently deleted",
		recentlyDeletedHint: "Panels deleted in this browser can be brought back for 30 days.",
		restore: "Restore",
		restoreGone: "That panel is gone for good: its 30 days are over, or it is back already.",
	},
	panelForm: {
		createTitle: "New panel",
		editTitle: "Panel details",
		name: "Name",
		nameMissing: "Give the panel a name.",
		description: "Description",
		descriptionHint: "What it is for, in a sentence.",
		columns: "Columns",
		columnsHint: "Besides the title, separated by commas. They can be changed at any time.",
		startWith: "Start with",
		presets: [
			{ name: "Blank", columns: [] as string[] },
			{ name: "Contacts", columns: ["email", "phone", "company", "notes"] },
			{ name: "Inventory", columns: ["sku", "quantity", "location", "supplier"] },
			{ name: "Tasks", columns: ["status", "owner", "due"] },
		],
		create: "Create panel",
		created: (name: string) => `“${name}” is ready.`,
		saved: "Saved.",
		staleReloaded:
			"The panel was changed elsewhere meanwhile. Your text is still here; save once more to put it over the newer one.",
	},

	panel: {
		back: "Panels",
		records: "Records",
		files: "Files",
		tabs: "Parts of this panel",
		add: "Add record",
		import: "Import CSV",
		export: "Export CSV",
		columns: "Columns",
		details: "Name and description",
		remove: "Delete panel",
		more: "More for this panel",
	},

	records: {
		grid: (panel: string) => `Records of ${panel}`,
		filter: "Filter records by title",
		filterPlaceholder: "Filter by title",
		title: "Title",
		updated: "Changed",
		select: (title: string) => `Select ${title}`,
		selectAll: "Select all loaded records",
		open: (title: string) => `Open ${title}`,
		selected: (n: number) => `${count(n)} selected`,
		clearSelection: "Clear selection",
		deleteSelected: "Delete",
		status: (loaded: number, total: number | undefined) =>
			total === undefined
				? counted(loaded, "record shown", "records shown")
				: loaded >= total
					? counted(total, "record", "records")
					: `${count(total)} records, ${count(loaded)} loaded`,
		loadingMore: "Loading more records",
		emptyTitle: "No records yet",
		emptyText: "Add the first one by hand, or bring a whole table in as CSV.",
		noMatchTitle: "No record matches",
		noMatchText: (query: string) =>
			[...query].length < 3
				? `No word of a title begins with “${query}”. From three letters on, they are found inside words too.`
				: `No title in this panel contains “${query}”.`,
		clearFilter: "Show all records",
		help: "Arrow keys move, Enter edits, Escape takes back, Space selects.",
		sortAscending: "sorted A to Z",
		sortDescending: "sorted Z to A",
		sortLabel: "Sort by",
		sorts: {
			created: "Oldest first",
			"-created": "Newest first",
			title: "Title, A to Z",
			"-title": "Title, Z to A",
			updated: "Longest unchanged",
			"-updated": "Last changed",
		},
		saving: "Saving",
		notSaved: "Not saved",
		unsaved: (n: number) => `${counted(n, "change", "changes")} not saved`,
		unsavedWhy: (reason: string) => reason,
		retryAll: "Save again",
		discardAll: "Discard",
		merged: "Saved, together with a change that was made elsewhere.",
		gone: "This record was deleted elsewhere.",
		titleMissing: "A record needs a title.",
		titleTooLong: "A title has at most 200 characters.",
		valueInvalid: (kind: string) => `This field holds ${kind}; what was typed is not one.`,
		kinds: { number: "a number", boolean: "true or false", object: "JSON" },
		editCell: (column: string) => `Edit ${column}`,
	},
	recordForm: {
		addTitle: "Add record",
		openTitle: "Record",
		title: "Title",
		newField: "Field name",
		addField: "Add field",
		fieldTaken: "There is a field of that name already.",
		removeField: (name: string) => `Remove the field ${name}`,
		noFields: "No fields yet. Columns of the panel and fields of your own go here.",
		save: "Save record",
		add: "Add record",
		addAnother: "Add and next",
		added: (title: string) => `Added “${title}”.`,
		saved: (title: string) => `Saved “${title}”.`,
		remove: "Delete record",
		created: "Added",
		updated: "Changed",
		draft: "This is your unsaved draft.",
		discardDraft: "Discard the draft",
	},
	conflict: {
		title: "Changed elsewhere meanwhile",
		lead: (title: string) =>
			`While you were editing, “${title}” was changed in another window or by another device. Which should stay?`,
		field: "Field",
		mine: "Yours",
		theirs: "The other",
		keepMine: "Keep mine",
		keepTheirs: "Keep the other",
		empty: "empty",
	},
	deletion: {
		recordsTitle: (n: number) => `Delete ${counted(n, "record", "records")}?`,
		recordsText: "Deleted records cannot be brought back. Export the panel first if you may need them.",
		confirm: "Delete",
		deleted: (n: number) => `Deleted ${counted(n, "record", "records")}.`,
		progress: (done: number, total: number) => `Deleting: ${count(done)} of ${count(total)}`,
		fileTitle: (name: string) => `Delete “${name}”?`,
		fileText: "The file cannot be brought back.",
		fileDeleted: (name: string) => `Deleted “${name}”.`,
	},
	columns: {
		title: "Columns",
		lead: "Which fields the table shows, and in which order. Removing a column hides it; the data stays.",
		up: (name: string) => `Move ${name} up`,
		down: (name: string) => `Move ${name} down`,
		remove: (name: string) => `Remove the column ${name}`,
		add: "Add column",
		name: "Field",
		found: "Fields in your records:",
		taken: "That column is shown already.",
		none: "Only the title is shown. Add the fields that you want to see.",
		save: "Save columns",
		saved: "Columns saved.",
	},
	import: {
		title: "Import CSV",
		lead: "A table as CSV, with a header row. One column has to be called “title”; every other becomes a field.",
		choose: "Choose a file",
		drop: "or drop it here",
		another: "Another file",
		preview: "The first rows",
		noTitle: "This file has no column called “title”. Rename one of its columns and choose it again.",
		empty: "This file is empty.",
		showColumns: (columns: readonly string[]) =>
			`Show ${columns.length === 1 ? "the new column" : "the new columns"} ${columns.join(", ")} in the table`,
		start: "Import",
		uploading: (name: string) => `Uploading ${name}`,
		running: (name: string) => `Importing ${name}`,
		rows: (done: number, total: number) => `${count(done)} of ${count(total)} rows`,
		done: (n: number) => `Imported ${counted(n, "record", "records")}.`,
		failed: (reason: string) => `Nothing was imported. ${reason}`,
	},
	export: {
		running: (name: string) => `Exporting “${name}”`,
		done: (name: string) => `“${name}” is exported.`,
		failed: (name: string, reason: string) => `“${name}” could not be exported. ${reason}`,
		download: "Download",
		account: "all your data",
	},

	files: {
		drop: "or drop them here. Any type; images get a preview.",
		choose: "Choose files",
		emptyTitle: "No files yet",
		emptyText: "Keep what belongs to this panel beside its records.",
		name: "Name",
		size: "Size",
		added: "Added",
		preview: (name: string) => `Preview ${name}`,
		download: (name: string) => `Download ${name}`,
		remove: (name: string) => `Delete ${name}`,
		cancelUpload: (name: string) => `Cancel the upload of ${name}`,
		retryUpload: (name: string) => `Upload ${name} again`,
		waiting: "Waiting",
		uploaded: (name: string) => `Uploaded ${name}`,
		tooLarge: "The file is larger than the service takes.",
		previous: "Previous image",
		next: "Next image",
		list: "Files of this panel",
	},

	activity: {
		title: "Activity",
		lead: "Imports and exports, newest first. Results can be downloaded until they are cleared away.",
		emptyTitle: "Nothing has run yet",
		emptyText: "Imports and exports appear here with their progress.",
		kind: "What",
		state: "State",
		started: "Asked for",
		result: "Result",
	},
	jobs: {
		kinds: {
			"panel-export": "Export of a panel",
			"panel-import": "Import into a panel",
			"account-export": "Export of all data",
		} as Record<string, string>,
		states: { queued: "Waiting", running: "Running", succeeded: "Done", failed: "Failed" },
		progress: (kind: string) => `Progress: ${kind}`,
		attempt: (attempt: number, most: number) => `try ${attempt} of ${most}`,
		download: "Download",
		rows: (n: number) => counted(n, "row", "rows"),
		unknownFailure: "The service gave no reason.",
	},

	account: {
		title: "Account",
		sections: "Parts of your account",
		profile: {
			title: "Profile",
			name: "Name",
			email: "E-mail",
			emailHint: "You sign in with this address.",
			saved: "Profile saved.",
		},
		sessions: {
			title: "Where you are signed in",
			current: "This device",
			unknown: "Unknown device",
			seen: "Last seen",
			since: "Since",
			end: "Sign out",
			endLabel: (device: string) => `Sign out ${device}`,
			ended: "Signed out there.",
			endAll: "Sign out everywhere",
			endAllTitle: "Sign out everywhere?",
			endAllText: "Every device is signed out at once, this one too.",
		},
		password: {
			title: "Password",
			lead: "All other devices are signed out when it changes.",
			submit: "Change password",
			changed: "Password changed. All other devices are signed out.",
			wrong: "That is not your current password.",
		},
		totp: {
			title: "Two-factor sign-in",
			off: "Off. A code from an authenticator app besides the password keeps others out, even those who learn your password.",
			on: "On. Signing in asks for a code from your authenticator app.",
			turnOn: "Turn on",
			turnOff: "Turn off",
			newCodes: "New recovery codes",
			confirmTitle: "Confirm that it is you",
			confirm: "Continue",
			scanTitle: "Add RAD Panel to your app",
			scan: "Scan this with an authenticator app, such as the one of your password manager.",
			qr: "QR code for the authenticator app",
			manual: "Cannot scan? Type this key into the app:",
			open: "Open in an app on this device",
			code: "Six-digit code from the app",
			codeWrong: "That code is not right. Check the clock of your device and try the next one.",
			verify: "Verify and turn on",
			codesTitle: "Keep these recovery codes",
			codesLead:
				"Each of them signs you in once, should you lose your device. They are shown this one time: print them, or put them into your password manager.",
			copy: "Copy",
			copied: "Copied.",
			downloadCodes: "Download",
			kept: "I have kept them",
			enabled: "Two-factor sign-in is on.",
			disabled: "Two-factor sign-in is off.",
			offTitle: "Turn two-factor sign-in off?",
			offText: "Your password alone will be enough to sign in. The recovery codes stop working.",
			newCodesText: "The codes that you have now stop working.",
			fileName: "rad-panel-recovery-codes.txt",
		},
		data: {
			title: "Your data",
			lead: "Everything you keep here, as one ZIP archive: account, panels as CSV and JSON, and files.",
			export: "Export all my data",
			deleteTitle: "Delete account",
			deleteLead: "Your account, all panels, records and files are deleted at once and for good.",
			delete: "Delete my account",
			deleteConfirmTitle: "Delete your account for good?",
			deleteConfirm: "This cannot be taken back. Export your data first if you want to keep any of it.",
			exportFirst: "Export first",
			deleted: "Your account and all its data are deleted. Goodbye.",
		},
	},

	users: {
		title: "Users",
		search: "Find users by e-mail",
		user: "User",
		role: "Role",
		status: "Status",
		joined: "Joined",
		roles: { user: "User", admin: "Administrator" },
		statuses: { active: "Active", suspended: "Suspended" },
		totp: "two-factor",
		actions: (email: string) => `Actions for ${email}`,
		suspend: "Suspend",
		activate: "Lift suspension",
		makeAdmin: "Make administrator",
		makeUser: "Make ordinary user",
		ask: {
			suspended: (email: string) => ({
				title: `Suspend ${email}?`,
				text: "They are signed out everywhere at once and cannot sign in until the suspension is lifted. Their data stays.",
				confirm: "Suspend",
			}),
			active: (email: string) => ({
				title: `Lift the suspension of ${email}?`,
				text: "They can sign in again and find their data as it was.",
				confirm: "Lift suspension",
			}),
			admin: (email: string) => ({
				title: `Make ${email} an administrator?`,
				text: "Administrators see all users and jobs, can suspend anybody, and see the scaling page. They do not see others’ panels.",
				confirm: "Make administrator",
			}),
			user: (email: string) => ({
				title: `Make ${email} an ordinary user?`,
				text: "They no longer see the pages for administrators. Their own panels stay as they are.",
				confirm: "Make ordinary user",
			}),
		},
		done: (email: string) => `Changed ${email}.`,
		emptyTitle: "No such user",
		emptyText: "No e-mail address begins like that.",
	},
	adminJobs: {
		title: "Jobs",
		filter: "State",
		all: "All",
		user: "User",
		retry: "Retry",
		retried: "The job waits for its next run.",
		emptyTitle: "No jobs",
		emptyText: "Nothing is in this state.",
		retryLabel: (kind: string) => `Retry: ${kind}`,
	},

	scaling: {
		title: "Scaling",
		advice: {
			stay: (tier: string, _next: string | undefined) => `Stay on ${tier}`,
			watch: (tier: string, _next: string | undefined) => `Stay on ${tier}, and watch`,
			act: (tier: string, next: string | undefined) => (next ? `Act: move to ${next}` : `Act: ${tier} is outgrown`),
		},
		fired: (words: readonly string[]) =>
			words.length === 1
				? `A trigger has fired: ${words[0]}.`
				: `${words.length} triggers have fired: ${words.join("; ")}.`,
		over: (words: readonly string[]) => `Over its threshold, but not for long enough to act: ${words.join("; ")}.`,
		exceeded: (names: readonly string[]) => `More in use than this tier is built for: ${names.join(", ")}.`,
		firedShort: "(a scaling trigger has fired)",
		noneFired: "No trigger has fired.",
		closest: (words: string, share: string) => `Closest: ${words}, at ${share} of its threshold.`,
		unmeasured: (n: number, all: number) =>
			n === all
				? "None of its triggers is measured yet, so this says little."
				: `${n} of ${all} triggers are not measured.`,
		next: (tier: string) => `See what ${tier} adds`,
		ladder: "The plan’s tiers",
		current: "You are here",
		users: (from: string, to: string) => `${from}–${to} users`,
		usersUpTo: (to: string) => `up to ${to} users`,
		usersFrom: (from: string) => `${from}+ users`,
		capacity: "Capacity and use",
		capacityLead: "What this tier is built for, and how much of it is in use.",
		dimensions: {
			concurrent_users: "Concurrent users",
			requests_per_second: "Requests per second",
			database_connections: "Database connections",
			storage_bytes: "Storage",
		},
		of: (value: string, limit: string) => `${value} of ${limit}`,
		noLimit: "no limit in the plan",
		notMeasured: "not measured",
		notMeasuredHere: "Not measured",
		cpu: "CPU of this host",
		triggers: (tier: string) => `Triggers for ${tier}`,
		triggersLead:
			"Each is a reason to move on. A trigger fires once its value has been over the threshold for long enough.",
		noTriggers: "This is the plan’s last tier: nothing leads beyond it.",
		trigger: "Trigger",
		value: "Now",
		threshold: "Threshold",
		overFor: "Over for",
		state: "State",
		neverOver: "–",
		firesAfter: (time: string) => `fires after ${time}`,
		firedAfter: (time: string) => `fired after ${time}`,
		states: { fired: "Fired", over: "Over", near: "Near", under: "Under", unknown: "Not measured" },
		slo: "Service levels",
		sloLead: "What the tier promises, and what was measured.",
		objective: "Objective",
		target: "Target",
		measured: "Measured",
		kept: "Kept",
		missed: "Missed",
		objectives: { p95: "API response, p95", pageLoad: "Page load", uptime: "Uptime" },
		thisPage: (time: string) => `this page took ${time} in this browser`,
		cost: "Monthly cost",
		costBase: "The base: the plan adds nothing for this tier.",
		money: (low: string, high: string, added: boolean) => `${added ? "+" : ""}$${low}–${high}`,
		perMonth: "a month",
		added: "on top of the tier before",
		total: "in total",
		review: "Next review",
		noReview: "The plan names none.",
		nextTier: (tier: string) => `What ${tier} adds`,
		devOps: (n: number) => counted(n, "dedicated DevOps engineer", "dedicated DevOps engineers"),
		commandLead: "What that would change, before anything does:",
		command: (tier: string) => `rad preview ${tier}`,
		asOf: "Measured",
		refresh: "Measure again",
		unavailableTitle: "No plan to show",
		unavailableText:
			"The live figures are below. The plan beside them appears when the service is deployed with a stack, which gives it the plan’s file.",
	},
} as const;

/** What a failed request means for the person in front of it, and what they can do. */
export function explain(error: RequestError): string {
	switch (error.fault) {
		case "unreachable":
			return "The service could not be reached. Check your connection; nothing you typed is lost.";
		case "busy":
			return "The service is busy at the moment. Wait a little and try again.";
		case "rate-limited":
			return error.retryAfter
				? `Too many tries. Wait ${counted(error.retryAfter, "second", "seconds")} and try again.`
				: "Too many tries. Wait a minute and try again.";
		case "signed-out":
			return "You are signed out.";
		case "forbidden":
			return error.problem.detail ?? "You may not do that.";
		case "not-found":
			return "There is no such thing here. It may have been deleted.";
		case "stale":
			return "It was changed elsewhere meanwhile. Load it again before you change it.";
		case "too-large":
			return "That is larger than the service takes.";
		case "invalid": {
			const faults = error.problem.errors?.map((fault) => fault.message).filter(Boolean) ?? [];
			return faults.length > 0
				? `${sentence(faults.join("; "))}`
				: (error.problem.detail ?? "The service did not accept that.");
		}
		case "conflict":
			return error.problem.detail ?? "That exists already, or is still being worked on.";
		default:
			return error.problem.detail ?? "The service had a fault. Try again; if it stays, tell whoever runs it.";
	}
}

const sentence = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
