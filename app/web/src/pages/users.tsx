import { useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { service, take } from "../api/client.ts";
import type { User } from "../api/types.ts";
import { useAction } from "../state/action.ts";
import { useResource } from "../state/resource.ts";
import { user as self } from "../state/session.ts";
import { shortly, toast } from "../state/toasts.ts";
import { strings } from "../strings.ts";
import { Button } from "../ui/button.tsx";
import { Dialog, DialogFoot } from "../ui/dialog.tsx";
import { Menu, type MenuItem } from "../ui/menu.tsx";
import { More } from "../ui/more.tsx";
import { PageHead } from "../ui/page.tsx";
import { SearchField } from "../ui/search-field.tsx";
import { AdminTabs } from "../ui/shell.tsx";
import { Empty, Failed, FormError, LoadingRows } from "../ui/states.tsx";
import { Time } from "../ui/time.tsx";

const text = strings.users;

type Change = { status: User["status"] } | { role: User["role"] };

async function fetchPage(q: string, cursor?: string, signal?: AbortSignal) {
	const query = { limit: 50, ...(q && { q }), ...(cursor && { cursor }) };
	const page = await take(service.GET("/api/v1/admin/users", { params: { query }, signal: signal ?? null }));
	return { items: page.items as User[], next: page.next_cursor };
}

/** All users: found by e-mail, suspended, made administrators. */
export default function Users() {
	const { query, route } = useLocation();
	const q = query.q ?? "";
	const users = useResource(`admin/users?${q}`, (signal) => fetchPage(q, undefined, signal));
	const [asked, setAsked] = useState<{ user: User; change: Change }>();
	const { data, error } = users;
	return (
		<div class="page">
			<PageHead title={text.title} />
			<AdminTabs />
			<div class="toolbar">
				<SearchField
					label={text.search}
					value={q}
					onSearch={(value) => route(value ? `/admin/users?q=${encodeURIComponent(value)}` : "/admin/users", true)}
				/>
			</div>
			{error && !data ? (
				<Failed error={error} retry={users.reload} />
			) : !data ? (
				<LoadingRows rows={5} />
			) : data.items.length === 0 ? (
				<Empty icon="users" title={text.emptyTitle} text={text.emptyText} />
			) : (
				<UserTable users={data.items} onAsk={(user, change) => setAsked({ user, change })} />
			)}
			{data?.next && (
				<More
					key={data.next}
					next={data.next}
					load={(cursor) => fetchPage(q, cursor)}
					page={data}
					add={users.replace}
				/>
			)}
			{asked && data && (
				<ChangeDialog
					{...asked}
					onClose={() => setAsked(undefined)}
					onChanged={(changed) => {
						setAsked(undefined);
						users.replace({ ...data, items: data.items.map((one) => (one.id === changed.id ? changed : one)) });
					}}
				/>
			)}
		</div>
	);
}

function UserTable({ users, onAsk }: { users: readonly User[]; onAsk: (user: User, change: Change) => void }) {
	return (
		<table class="table">
			<thead>
				<tr>
					<th scope="col">{text.user}</th>
					<th scope="col" class="cell-extra">
						{text.role}
					</th>
					<th scope="col">{text.status}</th>
					<th scope="col" class="cell-extra">
						{text.joined}
					</th>
					<th scope="col">
						<span class="visually-hidden">{text.actions("")}</span>
					</th>
				</tr>
			</thead>
			<tbody>
				{users.map((user) => (
					<tr key={user.id}>
						<th scope="row">
							{user.email} {user.id === self.value?.id && <span class="tag">{strings.you}</span>}
							<span class="cell-under">{[user.name, user.totp_enabled && text.totp].filter(Boolean).join(" · ")}</span>
							<span class="cell-under phone-only">{text.roles[user.role]}</span>
						</th>
						<td class="cell-extra">{text.roles[user.role]}</td>
						<td>
							<span class={`tag ${user.status === "active" ? "tag-good" : "tag-bad"}`}>
								{text.statuses[user.status]}
							</span>
						</td>
						<td class="cell-extra cell-tight">
							<Time at={user.created_at} />
						</td>
						<td class="cell-actions">
							<Menu label={text.actions(user.email)} items={actionsFor(user, onAsk)} />
						</td>
					</tr>
				))}
			</tbody>
		</table>
	);
}

function actionsFor(user: User, onAsk: (user: User, change: Change) => void): MenuItem[] {
	const active = user.status === "active";
	const admin = user.role === "admin";
	return [
		{
			label: admin ? text.makeUser : text.makeAdmin,
			icon: "key",
			run: () => onAsk(user, { role: admin ? "user" : "admin" }),
		},
		{
			label: active ? text.suspend : text.activate,
			icon: active ? "close" : "undo",
			danger: active,
			run: () => onAsk(user, { status: active ? "suspended" : "active" }),
		},
	];
}

interface ChangeDialogProps {
	user: User;
	change: Change;
	onClose: () => void;
	onChanged: (user: User) => void;
}

/** Says what a change means before it is made: each of them locks somebody out, or lets somebody in. */
function ChangeDialog({ user, change, onClose, onChanged }: ChangeDialogProps) {
	const words = wordsFor(user, change);
	const save = useAction(async () => {
		const changed = await take(
			service.PATCH("/api/v1/admin/users/{user_id}", { params: { path: { user_id: user.id } }, body: change }),
		);
		toast({ tone: "good", text: text.done(user.email), lasts: shortly });
		onChanged(changed);
	});
	return (
		<Dialog title={words.title} onClose={onClose}>
			<div class="dialog-body">
				<p>{words.text}</p>
				<FormError error={save.error} />
				<DialogFoot>
					<Button onClick={onClose}>{strings.cancel}</Button>
					<Button
						kind={words.danger ? "danger" : "primary"}
						class={words.danger ? "button-final" : ""}
						busy={save.busy}
						onClick={() => void save.run()}
					>
						{words.confirm}
					</Button>
				</DialogFoot>
			</div>
		</Dialog>
	);
}

function wordsFor(user: User, change: Change) {
	if ("role" in change) return { ...text.ask[change.role](user.email), danger: false };
	return { ...text.ask[change.status](user.email), danger: change.status === "suspended" };
}
