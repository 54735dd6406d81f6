import { strings } from "../strings.ts";
import { PageHead } from "../ui/page.tsx";

/** An address that leads nowhere, or to something that is gone or another person's. */
export default function NotFound() {
	return (
		<div class="page">
			<PageHead title={strings.notFound.title} />
			<p class="lead">{strings.notFound.text}</p>
			<p>
				<a class="button button-primary" href="/panels">
					{strings.notFound.home}
				</a>
			</p>
		</div>
	);
}
