import type { Api } from "../../k8s/api/api.ts";
import type { ClusterAccess } from "../../k8s/api/cluster_access.ts";
import { selfSignedServerCertificate } from "../../k8s/certificate/certificate.ts";
import { type AdoptableSession, ServiceRefusedError } from "../../k8s/session/service/claim_service.ts";
import { ClusterSession, ObjectExistsError, SessionGoneError, SessionTakenError } from "../../k8s/session/session.ts";
import { controlServiceName, type ForwardPlan, type SessionPlan } from "../../k8s/session/objects/session_plan.ts";
import { sessionOwner } from "../../k8s/session/owner/session_owner.ts";
import { KEY_BYTES } from "../../tunnel/mod.ts";
import { nameEnd } from "../command/object_name.ts";
import type { Context } from "../command/context.ts";
import { preflight } from "./preflight.ts";
import { tellReplaced } from "./tell_replaced.ts";

/** So often the world may change between the look and the deed. */
const MAX_TRIES = 5;

/** What {@link startSession} works with. */
export interface StartOptions {
  readonly context: Context;
  readonly access: ClusterAccess;
  readonly api: Api;
  /** Its name is made at each try. */
  readonly plan: ForwardPlan;
  /** The Service's port, where the user named one. */
  readonly port: number | undefined;
  /** Whether a session that is there is to be taken from whoever has it. */
  readonly takeover: boolean;
}

/** A session, made or adopted. */
export interface StartedSession<Plan extends SessionPlan = SessionPlan> {
  readonly session: ClusterSession<Plan>;
  /** Its key, 32 bytes. */
  readonly key: Uint8Array;
}

/** Has a session: one that is there and free, or that is taken over, or a new one. @throws as preflight does, and what the API says */
export async function startSession(options: StartOptions): Promise<StartedSession<ForwardPlan>> {
  const { context, access, api, port } = options;
  let { plan, takeover } = options;
  for (let tries = 1;; tries++) {
    const claim = await preflight({
      context,
      api,
      plan,
      port,
      takeover,
      tellClient: ({ name }, key) => tellReplaced(context, access, { name, namespace: plan.namespace, service: plan.service }, key),
    });
    try {
      return claim.do === "adopt" ? await adopt(context, api, claim) : await create(context, api, claim.plan);
    } catch (error) {
      if (error instanceof SessionTakenError) throw refusedTo(claim.plan, error);
      const lost = error instanceof ObjectExistsError && error.kind === "Service";
      if (tries === MAX_TRIES || !(lost || (claim.do === "adopt" && error instanceof SessionGoneError))) throw error;
      // Who was faster keeps it: --takeover meant who was there before.
      if (lost) takeover = false;
      plan = { ...plan, name: sessionName(context, plan.service) };
    }
  }
}

/** A new name for a session of a Service. */
export function sessionName(context: Context, service: string): string {
  return `${service}-kurun-${nameEnd(context.random)}`;
}

async function create(context: Context, api: Api, plan: ForwardPlan): Promise<StartedSession<ForwardPlan>> {
  const key = context.random(KEY_BYTES);
  const { certPem: cert, keyPem: certKey } = await selfSignedServerCertificate({
    names: [controlServiceName(plan.service)],
    days: 365,
    now: context.date(),
  });
  return { session: await ClusterSession.create(api, plan, { key, cert, certKey }, context.now), key };
}

async function adopt(context: Context, api: Api, claim: AdoptableSession): Promise<StartedSession<ForwardPlan>> {
  const session = await ClusterSession.adopt(api, claim.plan, claim, context.now);
  context.stderr(`${describeAdoption(claim)}\n`);
  return { session, key: claim.key };
}

function describeAdoption({ job, presence, mine }: AdoptableSession): string {
  const { name, who, from, since, seen } = sessionOwner(job);
  if (mine && presence.is === "away") {
    return `Resumed your session ${name}, which has had no client since ${presence.since || seen}; its Service and address are the same`;
  }
  return `Took over session ${name} from ${who} on ${from}, who had used it since ${since}`;
}

function refusedTo({ namespace, service, annotations }: ForwardPlan, { session }: SessionTakenError): ServiceRefusedError {
  const mine = session.who === annotations["kurun.dev/who"] && session.from === annotations["kurun.dev/from"];
  const presence = { is: "connected", since: session.since } as const;
  return new ServiceRefusedError({ is: "in-use", session, presence, mine }, namespace, service);
}
