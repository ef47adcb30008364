import { createHash } from "node:crypto";
import { isObject } from "../../api/exact_json.ts";
import type { New, NewConfigMap, NewDeployment, NewPod, NewRole, NewSecret, NewService } from "../../api/kubernetes_objects.ts";
import { controlTargetPort, serverDeployment, tlsSecret, userService } from "./forward_objects.ts";
import { runPod } from "./run_objects.ts";
import { controlService, serverConfigMap, sessionJob, sessionSecret } from "./session_objects.ts";
import {
  Annotation,
  CONTROL_PORT,
  type ForwardPlan,
  hasConfigMap,
  isRun,
  isWebhook,
  type SessionPlan,
  type SessionSecrets,
} from "./session_plan.ts";
import { answerRole } from "./webhook_objects.ts";

/** An object that a session's Job owns. */
export type OwnedObject = NewService | NewSecret | NewConfigMap | NewDeployment | NewPod | NewRole;

/**
 * The objects that the session's Job owns, in rows that are created in parallel. Each row has steps, and the objects of a step are
 * created in parallel too. Of two starts at the same time, the one that creates the control Service first wins, and the other one then
 * creates no Service for callers. A Pod that starts before what it mounts exists is retried only after 1.5 s (2 of 10 starts, on one node).
 */
export function ownedObjects(plan: SessionPlan, uid: string, secrets: SessionSecrets): OwnedObject[][][] {
  const mounted = [
    sessionSecret(plan, uid, secrets),
    ...(hasConfigMap(plan) ? [serverConfigMap(plan, uid, plan.server ?? "")] : []),
  ];
  if (isRun(plan)) return [[[controlService(plan, uid, CONTROL_PORT)]], [mounted, [runPod(plan, uid).pod]]];
  const control = controlService(plan, uid, controlTargetPort(plan));
  const services = [[control], plan.joined ? [] : [userService(plan, uid)]];
  const role = isWebhook(plan) ? [answerRole(plan, uid)] : [];
  return [services, [[...mounted, ...tlsSecret(plan, uid)], [serverDeployment(plan, uid)]], [role]];
}

/** All objects of a session, owner first. */
export function sessionObjects(plan: SessionPlan, uid: string, secrets: SessionSecrets): New[] {
  return [sessionJob(plan), ...ownedObjects(plan, uid, secrets).flat(2)];
}

/** Stands for the session's own name. */
const ANY_NAME = "any";
/** Hexadecimal digits of the digest. They tell plans apart; nobody gains anything from a collision. */
const DIGITS = 16;

/**
 * A digest of everything that a plan determines: its objects without the session's name, secrets and annotations. Sessions with the same
 * digest differ only in whose they are, what they forward to, how they start and whether the server logs connections, so a start may resume
 * any of them.
 */
export function planDigest(plan: SessionPlan): string {
  const anyPlan = { ...plan, name: ANY_NAME, annotations: {}, verbose: false, early: false, resources: undefined, ...withoutTlsKey(plan) };
  return digest(sessionObjects(anyPlan, ANY_NAME, { key: new Uint8Array(), cert: "", certKey: "" }));
}

/** A certificate of the session's own tells plans apart; its key must not be in a digest that others can read. */
function withoutTlsKey(plan: SessionPlan): Partial<Pick<ForwardPlan, "tls">> {
  return "tls" in plan && plan.tls && "keyPem" in plan.tls ? { tls: { ...plan.tls, keyPem: "" } } : {};
}

function digest(value: unknown): string {
  // A selector may come in any order.
  const sorted = (_: string, inner: unknown) =>
    isObject(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => a < b ? -1 : 1)) : inner;
  return createHash("sha256").update(JSON.stringify(value, sorted)).digest("hex").slice(0, DIGITS);
}

/** A digest of each flag of a plan: a later start says which of them differ. */
function flagDigests({ ports, joined, tls, ...plan }: ForwardPlan): string {
  const flags: Readonly<Record<string, unknown>> = {
    "--servicename": [plan.service, joined],
    "--serviceport": ports.map(({ port }) => port),
    "--pod-port": ports.map(({ targetPort }) => targetPort),
    ...(joined ? {} : { "the URL's scheme": ports.map(({ name = "" }) => name.startsWith("http")) }),
    "--app-protocol": tls ? tls.alpn.includes("h2") : ports.some(({ appProtocol }) => appProtocol === "kubernetes.io/h2c"),
    "--tlssecret": tls && "secret" in tls ? tls.secret : undefined,
    "--server-image": plan.image,
    "--image-pull-secret": plan.imagePullSecret,
    "--label": plan.podLabels ?? {},
    "--server-overrides": plan.podPatch,
    "--ttl": plan.ttlSeconds,
    "--hold": plan.holdMs,
    "--fallback": plan.fallback ?? "error",
  };
  return Object.entries(flags).map(([flag, value]) => `${flag}:${digest([value])}`).join();
}

/** The flags that differ between the annotations of two plans; none if one has no such annotation. */
export function differingFlags(theirs: string, mine: string): string[] {
  const known = theirs.split(",");
  return theirs === "" ? [] : mine.split(",").filter((flag) => !known.includes(flag)).map((flag) => flag.replace(/:.*/, ""));
}

/** The plan with annotations that say its Service, ports and digest. */
export function annotated(plan: ForwardPlan): ForwardPlan {
  return {
    ...plan,
    annotations: {
      ...plan.annotations,
      [Annotation.service]: plan.service,
      [Annotation.ports]: plan.ports.map(({ port }) => port).join(","),
      [Annotation.plan]: planDigest(plan),
      [Annotation.flags]: flagDigests(plan),
    },
  };
}
