import type { Api } from "../../k8s/api/api.ts";
import { ApiError } from "../../k8s/api/api_error.ts";
import type { ForwardPlan } from "../../k8s/session/objects/session_plan.ts";
import type { ConfigurationCopy } from "../../k8s/webhook/copy_configuration.ts";
import { conditionName } from "../../k8s/webhook/guard.ts";
import { type HookConfiguration, hookPath } from "../../k8s/webhook/hook_configuration.ts";
import { isSwitchedOn } from "../../k8s/webhook/switch.ts";
import { ExitCode, usageError, UserError } from "../command/errors.ts";

/**
 * Checks that a session's copies will do what they must, before anything is created: that the API server accepts their expressions, that it
 * has them at all, and that the session is off as long as nobody has switched it on.
 * @throws UserError; also as {@linkcode Api.create} does
 */
export async function checkWebhooks(api: Api, plan: ForwardPlan, copies: readonly ConfigurationCopy[], signal: AbortSignal): Promise<void> {
  const [isOn, ...kept] = await Promise.all([
    isSwitchedOn(api, plan, signal),
    ...copies.map(async (copy) => {
      const { body } = await api.create<HookConfiguration>(hookPath(copy.kind), copy, { query: { dryRun: "All" }, signal })
        .catch((error) => {
          throw invalidExpression(error) ?? error;
        });
      return body.webhooks.every(({ matchConditions = [] }) => matchConditions.some(({ name }) => name === conditionName(plan)));
    }),
  ]);
  if (kept.includes(false)) {
    throw new UserError(
      "the cluster does not support matchConditions of webhooks, which kurun webhook needs: they are in Kubernetes 1.28 and later\n" +
        "In this cluster, configure the webhook yourself, and serve its Service: kurun port-forward tls://localhost:9443 --servicename NAME",
      ExitCode.cluster,
    );
  }
  if (isOn) {
    throw new UserError(
      `in this cluster every ServiceAccount may "answer sessions.kurun.dev", so webhooks would go on to call kurun after it has ended\n` +
        "A RoleBinding or ClusterRoleBinding gives all rights to the group system:serviceaccounts, or the API server does not use RBAC",
      ExitCode.cluster,
    );
  }
}

/** An expression that the API server does not compile can only be the user's. */
function invalidExpression(error: unknown): UserError | undefined {
  if (!(error instanceof ApiError) || error.status !== 422) return undefined;
  const causes = (error.details?.causes ?? []).filter(({ field = "" }) => field.includes("matchConditions"));
  const [problem] = causes.map(({ message = "" }) => /ERROR: <input>:\d+:\d+: (.*)/.exec(message)?.[1] ?? message);
  return problem === undefined ? undefined : usageError(`--match: the API server does not accept the expression: ${problem}`);
}
