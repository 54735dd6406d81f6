import { useState } from "preact/hooks";
import { service, take } from "../../api/client.ts";
import type { Session } from "../../api/types.ts";
import { useAction } from "../../state/action.ts";
import { useResource } from "../../state/resource.ts";
import { signedOut } from "../../state/session.ts";
import { shortly, toast } from "../../state/toasts.ts";
import { strings } from "../../strings.ts";
import { Button } from "../../ui/button.tsx";
import { Dialog, DialogFoot } from "../../ui/dialog.tsx";
import { More } from "../../ui/more.tsx";
import { Section } from "../../ui/section.tsx";
import { Failed, FormError, LoadingRows } from "../../ui/states.tsx";
import { Time } from "../../ui/time.tsx";
import { deviceOf } from "./device.ts";

const text = strings.account.sessions;

async function fetchPage(cursor?: string, signal?: AbortSignal) {
	const query = { limit: 20, ...(cursor && { cursor }) };
	const page = await take(service.GET("/api/v1/sessions", { params: { query }, signal: signal ?? null }));
	return { items: page.items as Session[], next: page.next_cursor };
}

/** Every place where the person is signed in, each with its way out. */
export function Sessions() {
	const sessions = useResource("sessions", (signal) => fetchPage(undefined, signal));
	const [asking, setAsking] = useState(false);
	const { data, error } = sessions;
	return (
		<Section title={text.title}>
			{error && !data ? (
				<Failed error={error} retry={sessions.reload} />
			) : !data ? (
				<LoadingRows rows={2} />
			) : (
				<ul class="session-list">
					{data.items.map((session) => (
						<SessionItem
							key={session.id}
							session={session}
							onEnded={() => sessions.replace({ ...data, items: data.items.filter((one) => one.id !== session.id) })}
						/>
					))}
				</ul>
			)}
			{data?.next && <More key={data.next} next={data.next} load={fetchPage} page={data} add={sessions.replace} />}
			<Button kind="danger" icon="signOut" class="button-start" onClick={() => setAsking(true)}>
				{text.endAll}
			</Button>
			{asking && <EndAll onClose={() => setAsking(false)} />}
		</Section>
	);
}

function SessionItem({ session, onEnded }: { session: Session; onEnded: () => void }) {
	const device = deviceOf(session.user_agent) ?? text.unknown;
	const end = useAction(async () => {
		await take(service.DELETE("/api/v1/sessions/{session_id}", { params: { path: { session_id: session.id } } }));
		toast({ tone: "good", text: text.ended, lasts: shortly });
		onEnded();
	});
	return (
		<li>
			<div class="session-text">
				<p>
					<strong>{device}</strong> {session.current && <span class="tag tag-good">{text.current}</span>}
				</p>
				<p class="hint">
					{session.address} · {text.seen} <Time at={session.last_seen_at} /> · {text.since}{" "}
					<Time at={session.created_at} />
				</p>
				<FormError error={end.error} />
			</div>
			{!session.current && (
				<Button busy={end.busy} aria-label={text.endLabel(device)} onClick={() => void end.run()}>
					{text.end}
				</Button>
			)}
		</li>
	);
}

function EndAll({ onClose }: { onClose: () => void }) {
	const end = useAction(async () => {
		await take(service.DELETE("/api/v1/sessions"));
		signedOut(true);
	});
	return (
		<Dialog title={text.endAllTitle} onClose={onClose}>
			<div class="dialog-body">
				<p>{text.endAllText}</p>
				<FormError error={end.error} />
				<DialogFoot>
					<Button onClick={onClose}>{strings.cancel}</Button>
					<Button kind="danger" class="button-final" busy={end.busy} onClick={() => void end.run()}>
						{text.endAll}
					</Button>
				</DialogFoot>
			</div>
		</Dialog>
	);
}
