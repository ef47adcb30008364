import type { Api } from "../../k8s/api/api.ts";
import { ApiError } from "../../k8s/api/api_error.ts";
import { commonArchitecture, linuxNodes } from "../../k8s/nodes/nodes.ts";
import { Annotation, type RunPlan } from "../../k8s/session/objects/session_plan.ts";
import { isOurs, shownAnnotations } from "../../k8s/session/owner/session_owner.ts";
import type { Live } from "../../k8s/api/kubernetes_objects.ts";
import { fitCluster } from "../../k8s/session/pod/fit_cluster.ts";
import { checkRights, type Transport } from "../../k8s/session/session_rights.ts";
import { isObject } from "../../k8s/api/exact_json.ts";
import type { Context } from "../command/context.ts";
import { ExitCode, UserError } from "../command/errors.ts";
import { pause } from "../command/timers.ts";
import type { RunOptions } from "./run_flags.ts";
import { createSession, type StartedSession } from "../session/start_session.ts";

/** How long an earlier run of the same name may take to disappear: the grace period of its Pod is 10 s. */
const GONE_WITHIN_MS = 20_000;
const POLL_MS = 200;

/** The plan of the session for a run. */
export function planRun(context: Context, options: RunOptions, where: Pick<RunPlan, "namespace" | "image" | "server">): RunPlan {
  const { name, imagePullSecret, ttlSeconds, pod } = options;
  return {
    ...where,
    name,
    service: name,
    run: pod,
    ...(imagePullSecret === undefined ? {} : { imagePullSecret }),
    ttlSeconds,
    annotations: {
      [Annotation.who]: context.who,
      [Annotation.from]: context.from,
      [Annotation.since]: context.date().toISOString(),
      [Annotation.upstream]: `run ${options.targets.join(" ")}`,
      [Annotation.service]: name,
      [Annotation.ports]: "",
    },
  };
}

/** The architecture that the user's overrides select, else that of most nodes; undefined if they may not be listed. @throws as {@link Api.get} does */
export async function architectureFor(api: Api, options: RunOptions, signal: AbortSignal): Promise<string | undefined> {
  const spec = options.pod.overrides?.spec;
  const selector = isObject(spec) ? spec.nodeSelector : undefined;
  const asked = isObject(selector) ? selector["kubernetes.io/arch"] : undefined;
  return typeof asked === "string" ? asked : commonArchitecture(await linuxNodes(api, signal) ?? []);
}

/** Checks the user's rights and creates the session of a run. @throws MissingRightsError, UserError if a name that the user chose is taken */
export async function startRunSession(
  context: Context,
  api: Api,
  plan: RunPlan,
  { architecture, named, transport, signal }: {
    architecture: Promise<string | undefined>;
    named: boolean;
    transport: Transport;
    signal: AbortSignal;
  },
): Promise<StartedSession<RunPlan>> {
  const [node, fitted, { ways }] = await Promise.all([
    architecture,
    fitCluster(api, plan, signal),
    checkRights(api, { purpose: "run", ...plan }, transport, signal),
  ]);
  if (named) await nameIsFree(api, plan, signal);
  signal.throwIfAborted();
  const run = node === undefined ? plan.run : { ...plan.run, architecture: node };
  return await createSession(context, api, { ...fitted, run }, ways);
}

/** Waits until an earlier run of that name is gone. @throws UserError if something of that name stays */
async function nameIsFree(api: Api, { namespace, name }: RunPlan, signal: AbortSignal): Promise<void> {
  const until = performance.now() + GONE_WITHIN_MS;
  const paths = [`/apis/batch/v1/namespaces/${namespace}/jobs/${name}`, `/api/v1/namespaces/${namespace}/pods/${name}`];
  for (;;) {
    const answers = await Promise.all(paths.map((path) => api.get<Live>(path, { signal }).catch(ignoreMissing)));
    const found = answers.flatMap((answer) => answer ? [answer.body.metadata] : []);
    if (found.length === 0) return;
    const stays = found.find(({ deletionTimestamp }) => deletionTimestamp === undefined);
    // The garbage collector removes the Pod a moment after the Job that owns it.
    const isLeft = stays?.ownerReferences?.some(({ kind }) => kind === "Job") && found.length === 1;
    if ((stays && !isLeft) || performance.now() > until) {
      const whose = stays && isOurs(stays) ? ` of ${shownAnnotations(stays)[Annotation.who] ?? "another user"}` : "";
      throw new UserError(
        `--name ${name}: an object${whose} with that name already exists in namespace ${namespace}. ` +
          `Choose another name, or remove it: kurun stop ${name} -n ${namespace}`,
        ExitCode.neverStarted,
      );
    }
    await pause(POLL_MS, signal);
    signal.throwIfAborted();
  }
}

/** An object that may not be read counts as missing: a conflict then shows at creation. */
function ignoreMissing(error: unknown): undefined {
  if (!(error instanceof ApiError && (error.status === 404 || error.status === 403))) throw error;
}
