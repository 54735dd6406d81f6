import { signIn, signUp } from "./service.ts";

/**
 * Finds the administrator that the tests act as: RAD_ADMIN_EMAIL and RAD_ADMIN_PASSWORD name one; on a stack that nobody
 * has used yet, whoever signs up first is one.
 */
export default async function setup(): Promise<void> {
	const { RAD_ADMIN_EMAIL: email, RAD_ADMIN_PASSWORD: password } = process.env;
	const admin = email && password ? await signIn(email, password) : await signUp("First Person");
	if (admin.user.role !== "admin") {
		throw new Error(
			`${admin.email} is no administrator: the stack has users already, so name one in RAD_ADMIN_EMAIL and RAD_ADMIN_PASSWORD`,
		);
	}
	process.env.RAD_ADMIN_EMAIL = admin.email;
	process.env.RAD_ADMIN_PASSWORD = admin.password;
	process.env.RAD_ADMIN_SESSION = JSON.stringify(await admin.api.context.storageState());
	await admin.api.context.dispose();
}
