import type { Api } from "../../api/api.ts";
import { onStatus } from "../../api/api_error.ts";
import { IMAGE_USER } from "../../images/server_command.ts";

/**
 * The user that a session's containers run as. OpenShift gives each namespace a range of users and refuses all others, so it chooses.
 * @throws as {@linkcode Api.get} does
 */
export async function podUser(api: Api, signal: AbortSignal): Promise<{ readonly runAsUser?: number }> {
  const isOpenShift = await api.get("/apis/security.openshift.io", { signal }).then(() => true).catch(onStatus([403, 404], false));
  return isOpenShift ? {} : { runAsUser: IMAGE_USER };
}
