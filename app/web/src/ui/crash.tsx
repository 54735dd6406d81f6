import { Component, type ComponentChildren } from "preact";
import { strings } from "../strings.ts";
import { Button } from "./button.tsx";

interface CrashGuardProps {
	/** Where the person is: going elsewhere is a new chance. */
	path: string;
	children: ComponentChildren;
}

/** Shows an apology where a page threw, instead of an empty window; the rest of the panel stays usable. */
export class CrashGuard extends Component<CrashGuardProps, { crashed: boolean }> {
	override state = { crashed: false };

	static override getDerivedStateFromError() {
		return { crashed: true };
	}

	override componentDidCatch(error: unknown) {
		// The console is where whoever runs the panel looks first; reportError sends it there as uncaught.
		reportError(error);
	}

	override componentDidUpdate(before: CrashGuardProps) {
		if (this.state.crashed && before.path !== this.props.path) this.setState({ crashed: false });
	}

	override render() {
		if (!this.state.crashed) return this.props.children;
		return (
			<div class="empty" role="alert">
				<h1>{strings.crash.title}</h1>
				<p>{strings.crash.text}</p>
				<Button onClick={() => location.reload()}>{strings.crash.reload}</Button>
			</div>
		);
	}
}
