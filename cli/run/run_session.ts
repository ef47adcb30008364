import type { Api } from "../../k8s/api/api.ts";
import { ApiError } from "../../k8s/api/api_error.ts";
import { selfSignedServerCertificate } from "../../k8s/certificate/certificate.ts";
import { commonArchitecture, linuxNodes } from "../../k8s/nodes/nodes.ts";
import { ClusterSession } from "../../k8s/session/session.ts";
import { Annotation, controlServiceName, type RunPlan } from "../../k8s/session/objects/session_plan.ts";
import { isOurs } from "../../k8s/session/owner/session_owner.ts";
import type { Live, LiveMetadata } from "../../k8s/api/kubernetes_objects.ts";
import { checkRights, runRights } from "../../k8s/session/session_rights.ts";
import { isObject } from "../../k8s/session/objects/strategic_merge.ts";
import { KEY_BYTES } from "../../tunnel/mod.ts";
import type { Context } from "../command/context.ts";
import { ExitCode, UserError } from "../command/errors.ts";
import { pause } from "../command/timers.ts";
import type { RunOptions } from "./run_flags.ts";
import type { StartedSession } from "../session/start_session.ts";

/** How long what is about to go may take: a Pod's grace is 10 s. */
const GONE_WITHIN_MS = 20_000;
const POLL_MS = 200;

/** What the session of a run is made of. */
export function planRun(context: Context, options: RunOptions, namespace: string): RunPlan {
  const { name, image, imagePullSecret, ttlSeconds, pod } = options;
  return {
    name,
    namespace,
    service: name,
    run: pod,
    image,
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

/** The architecture that the user's overrides ask for, or that the cluster's nodes have; undefined where neither is known. @throws as the API does */
export async function architectureFor(api: Api, options: RunOptions, signal: AbortSignal): Promise<string | undefined> {
  const spec = options.pod.overrides?.spec;
  const selector = isObject(spec) ? spec.nodeSelector : undefined;
  const asked = isObject(selector) ? selector["kubernetes.io/arch"] : undefined;
  return typeof asked === "string" ? asked : commonArchitecture(await linuxNodes(api, signal) ?? []);
}

/**
 * Makes the session of a run, with rights looked at first.
 * @param options.architecture of the node that the Pod is to be on; undefined for any
 * @param options.named whether the user chose the name, which may then be taken
 * @throws MissingRightsError, UserError where the name is taken, and what the API says
 */
export async function startRunSession(
  context: Context,
  api: Api,
  plan: RunPlan,
  { architecture, named, signal }: { architecture: Promise<string | undefined>; named: boolean; signal: AbortSignal },
): Promise<StartedSession<RunPlan>> {
  const { namespace, service } = plan;
  const key = context.random(KEY_BYTES);
  const [node, { certPem: cert, keyPem: certKey }] = await Promise.all([
    architecture,
    selfSignedServerCertificate({ names: [controlServiceName(service)], days: 365, now: context.date() }),
    checkRights(api, runRights(namespace, service), "rbac-run.yaml", signal),
  ]);
  if (named) await nameIsFree(api, plan, signal);
  signal.throwIfAborted();
  const pinned = { ...plan, run: { ...plan.run, ...(node === undefined ? {} : { architecture: node }) } };
  return { session: await ClusterSession.create(api, pinned, { key, cert, certKey }, context.now), key };
}

/** Waits until what had the name before is gone. @throws UserError where it stays, and what the API says */
async function nameIsFree(api: Api, { namespace, name }: RunPlan, signal: AbortSignal): Promise<void> {
  const until = performance.now() + GONE_WITHIN_MS;
  const paths = [`/apis/batch/v1/namespaces/${namespace}/jobs/${name}`, `/api/v1/namespaces/${namespace}/pods/${name}`];
  for (;;) {
    const found = (await Promise.all(paths.map((path) => metadataOf(api, path, signal)))).filter((metadata) => metadata !== undefined);
    if (found.length === 0) return;
    const stays = found.find(({ deletionTimestamp }) => deletionTimestamp === undefined);
    // What a Job owns goes a moment after it.
    const isLeft = stays?.ownerReferences?.some(({ kind }) => kind === "Job") && found.length === 1;
    if ((stays && !isLeft) || performance.now() > until) {
      const whose = stays && isOurs(stays) ? `is ${stays.annotations?.[Annotation.who] ?? "somebody"}'s` : "is there";
      throw new UserError(
        `--name ${name}: something of that name ${whose} already in namespace ${namespace}: choose another, or end it (kurun stop ${name} -n ${namespace})`,
        ExitCode.neverStarted,
      );
    }
    await pause(POLL_MS, signal);
    signal.throwIfAborted();
  }
}

/** An object's metadata; undefined where it is not there, or may not be seen: then its creation tells. */
async function metadataOf(api: Api, path: string, signal: AbortSignal): Promise<LiveMetadata | undefined> {
  try {
    return (await api.get<Live>(path, { signal })).body.metadata;
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 403)) return undefined;
    throw error;
  }
}
