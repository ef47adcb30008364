import type { Api } from "../../api/api.ts";
import { ApiError } from "../../api/api_error.ts";
import { serverDeployment } from "../objects/forward_objects.ts";
import { NO_UID } from "../objects/session_objects.ts";
import { type ForwardPlan, objectPath } from "../objects/session_plan.ts";

/** The cluster refuses the Pod with the user's changes. The message is the API server's own. */
export class PodPatchRefusedError extends Error {
  override readonly name = "PodPatchRefusedError";
}

/**
 * Asks the API server by a dry run whether it accepts the Pod with the user's changes: unknown fields, values of the wrong type, and values
 * that contradict each other, such as a memory limit below the request.
 * @throws {PodPatchRefusedError} if it does not
 * @throws {ConnectionError} if there is no answer; any other refusal is left to the real creation, because admission webhooks may refuse
 * all dry runs (400)
 */
export async function checkPodPatchTaken(api: Api, plan: ForwardPlan, signal: AbortSignal): Promise<void> {
  const query = { dryRun: "All", fieldValidation: "Strict" };
  try {
    await api.create(objectPath("Deployment", plan.namespace), serverDeployment(plan, NO_UID), { query, signal });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // The message starts with the Deployment, which the user has never heard of.
    const invalid = /^Deployment\.apps "[^"]*" is invalid: (.*)$/s.exec(error.message);
    const unreadable = /^Deployment in version "[^"]*" cannot be handled as a Deployment: (.*)$/s.exec(error.message);
    const said = (invalid ?? unreadable)?.[1];
    if (said !== undefined) throw new PodPatchRefusedError(said.replaceAll("spec.template.spec.", ""), { cause: error });
  }
}
