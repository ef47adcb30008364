import { type Api, METADATA_ONLY } from "../api/api.ts";
import { ApiError, onStatus } from "../api/api_error.ts";
import { ConnectionError } from "../api/connection_error.ts";
import type { Job, Metadata, Service } from "../api/kubernetes_objects.ts";
import { sleep } from "../api/sleep.ts";
import { type OwnedObject, ownedObjects } from "./objects/session_manifests.ts";
import { sessionJob } from "./objects/session_objects.ts";
import { Annotation, controlServiceName, objectPath, type SessionPlan, type SessionSecrets } from "./objects/session_plan.ts";
import { deleteIfSame, sessionGone } from "./owner/remove_session.ts";
import { isEnding, isExpired, isOurs, sessionOf, type SessionOwner, sessionOwner, shownAnnotations } from "./owner/session_owner.ts";

/** The session has ended in the cluster: its deadline passed, or somebody deleted it. */
export class SessionGoneError extends Error {
  override readonly name = "SessionGoneError";

  /** @param expired whether its deadline passed, so that nobody deleted it */
  constructor(message: string, readonly expired: boolean, options?: ErrorOptions) {
    super(message, options);
  }
}

/** An object of this name already exists and belongs to something else. */
export class ObjectExistsError extends Error {
  override readonly name = "ObjectExistsError";

  constructor(readonly kind: string, readonly objectName: string) {
    super(`${kind} ${objectName} already exists`);
  }
}

/** Another start has adopted the session first. */
export class SessionTakenError extends Error {
  override readonly name = "SessionTakenError";

  constructor(readonly session: SessionOwner) {
    super(`session ${session.name} has been adopted by ${session.who} on ${session.from}`);
  }
}

/** Attempts for a Job that changes meanwhile: its controller writes its status. */
const MAX_TRIES = 5;
/** A deadline set by a clock this far behind is set again: the Date header has whole seconds, and an answer takes its time. */
const LATE_MS = 5_000;
/** How long {@link ClusterSession.delete} watches the cluster remove everything. */
const GONE_WITHIN_MS = 1_500;
/** How long a session that was deleted looks for the next owner of its Service. */
const SUCCESSOR_WITHIN_MS = 2_000;
const SUCCESSOR_POLL_MS = 200;

/** A session in the cluster, from its creation or adoption to its end: a Job without Pods, and the objects that it owns. */
export class ClusterSession<Plan extends SessionPlan = SessionPlan> {
  readonly plan: Plan;
  /** The Job's. */
  readonly uid: string;
  readonly #api: Api;
  /** The Job's. */
  readonly #path: string;
  /** The Job's start by the cluster's clock, in ms; its creation until its controller has set the start, which takes a few milliseconds. */
  #startedAt: number;
  /**
   * The difference between the cluster's clock and the given one, in ms, as of the last answer (its Date header has whole seconds). The
   * given clock is not the time of day: that was once set back by 50 minutes, which put the deadline into the past and ended the session.
   */
  #clockOffset = 0;
  /** When the session ends unless the deadline is moved, by the cluster's clock, in ms. */
  #deadline = Infinity;
  readonly #now: () => number;
  /** The Job's version when it was last known to be this client's. */
  #version: string | undefined;

  private constructor(api: Api, plan: Plan, job: Job, date: Date | undefined, now: () => number) {
    this.plan = plan;
    this.#api = api;
    this.#path = objectPath("Job", plan.namespace, plan.name);
    this.uid = job.metadata.uid;
    this.#startedAt = Date.parse(job.status?.startTime ?? job.metadata.creationTimestamp ?? "");
    this.#now = now;
    this.#version = job.metadata.resourceVersion;
    this.#noteClock(date);
  }

  /**
   * Creates the Job first, then everything else at once. If something cannot be created, all of it is removed again.
   * @param now milliseconds of a clock that never goes back; it may stand still while this machine sleeps
   * @throws {ObjectExistsError} if an object of one of the names exists; also as {@linkcode Api.create} does
   */
  static async create<Plan extends SessionPlan>(
    api: Api,
    plan: Plan,
    secrets: SessionSecrets,
    now: () => number,
  ): Promise<ClusterSession<Plan>> {
    const { body: job, date } = await api.create<Job>(objectPath("Job", plan.namespace), sessionJob(plan)).catch(async (error) => {
      // Without an answer it may have been created all the same; nothing else has its name.
      if (error instanceof ConnectionError) await api.delete(objectPath("Job", plan.namespace, plan.name)).catch(() => {});
      throw error;
    });
    const session = new ClusterSession(api, plan, job, date, now);
    const rows = ownedObjects(plan, job.metadata.uid, secrets);
    const results = await Promise.allSettled(rows.map((row) => createAll(api, row)));
    const failed = results.find((result) => result.status === "rejected");
    if (!failed) return session;
    // What cannot be removed now is removed at the deadline. The user must see the first error.
    await session.delete().catch(() => {});
    throw failed.reason;
  }

  /**
   * Resumes an existing session: it belongs to this client from now on, and its deadline moves at once. Nothing else of it changes.
   * @param plan the plan that its objects were made from, under its name, with the new client's annotations
   * @param found its Job, and when that was read by the cluster's clock
   * @throws {SessionTakenError} if another start was first, {SessionGoneError} if it ended first; also as {@linkcode Api.mergePatch} does
   */
  static async adopt<Plan extends SessionPlan>(
    api: Api,
    plan: Plan,
    found: { job: Job; now: Date },
    now: () => number,
  ): Promise<ClusterSession<Plan>> {
    const session = new ClusterSession(api, plan, found.job, found.now, now);
    let { job } = found;
    for (let tries = 1;; tries++) {
      const { uid, resourceVersion } = job.metadata;
      try {
        await session.#move({ uid, ...(resourceVersion ? { resourceVersion } : {}), annotations: plan.annotations });
        return session;
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 409) throw error;
        job = await session.#stillTheSame(found.job);
        if (tries === MAX_TRIES) throw error;
      }
    }
  }

  /**
   * Moves the deadline to `ttlSeconds` from now, by the cluster's clock.
   * @param timeoutMs how long the answer may take, in milliseconds
   * @throws {SessionGoneError} if it has ended or another client has it; also as {@linkcode Api.mergePatch} does
   */
  async renew(timeoutMs: number): Promise<void> {
    if (await this.#move({}, timeoutMs)) await this.#move({}, timeoutMs);
  }

  /**
   * Deletes the session and waits a moment until the cluster has removed everything. It is not an error if the session is already
   * gone. A session that another client has adopted is left to that client: the Job keeps its uid then, so the version decides.
   * @throws as {@linkcode Api.delete} does
   */
  async delete(): Promise<void> {
    const { namespace, service, name } = this.plan;
    const { uid } = this;
    for (let tries = 1; !await deleteIfSame(this.#api, this.#path, { uid, resourceVersion: this.#version }); tries++) {
      // Read by a patch that changes nothing: a session need not have the right to get Jobs.
      const found = await this.#api.mergePatch<Job>(this.#path, { metadata: { uid } }).catch(onStatus([404, 409], undefined));
      if (!found) break;
      if (!this.#isMine(found.body)) return;
      if (tries === MAX_TRIES) throw new Error(`Job ${name} changed with each of ${MAX_TRIES} attempts to delete it`);
      this.#version = found.body.metadata.resourceVersion;
    }
    await sessionGone(this.#api, { namespace, service, name, uid }, GONE_WITHIN_MS);
  }

  /** Whether this client made or adopted the session last. */
  #isMine({ metadata }: Job): boolean {
    return [Annotation.since, Annotation.who, Annotation.from].every((key) => metadata.annotations?.[key] === this.plan.annotations[key]);
  }

  /** @returns whether the deadline was already late when it was set: the given clock stands still while the machine sleeps */
  async #move({ annotations, ...metadata }: Metadata, timeoutMs?: number): Promise<boolean> {
    const { ttlSeconds } = this.plan;
    const now = this.#now() + this.#clockOffset;
    const activeDeadlineSeconds = ttlSeconds > 0 ? Math.ceil((now - this.#startedAt) / 1000) + ttlSeconds : null;
    const seen = { ...annotations, [Annotation.seen]: new Date(now).toISOString() };
    const patch = { metadata: { ...metadata, annotations: seen }, spec: { activeDeadlineSeconds } };
    const { body: job, date } = await this.#api.mergePatch<Job>(this.#path, patch, { timeoutMs }).catch(async (error) => {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      this.#noteClock(error.date);
      throw await this.#gone(error);
    });
    this.#noteClock(date);
    // A patch that arrives too late is answered 200 and changes nothing (Kubernetes 1.34): only the answer tells.
    if (isExpired(job)) throw this.#expired();
    if (job.metadata.deletionTimestamp) throw await this.#gone();
    if (!this.#isMine(job)) {
      const { who, from } = sessionOwner(job);
      throw this.#replacedBy(who, from);
    }
    this.#version = job.metadata.resourceVersion;
    if (job.status?.startTime) this.#startedAt = Date.parse(job.status.startTime);
    this.#deadline = activeDeadlineSeconds === null ? Infinity : this.#startedAt + activeDeadlineSeconds * 1000;
    return this.#now() + this.#clockOffset - now > LATE_MS;
  }

  /** Why the session is gone. The owner of a newer session for the same Service replaced it; otherwise it is not known who did. */
  async #gone(cause?: ApiError): Promise<SessionGoneError> {
    // The garbage collector deletes it just after the deadline; a deletion by hand at the same moment is unlikely.
    if (this.#now() + this.#clockOffset >= this.#deadline) return this.#expired(cause);
    const successor = await this.#successor();
    if (successor) return this.#replacedBy(successor[Annotation.who] ?? "", successor[Annotation.from] ?? "");
    return new SessionGoneError(`session ${this.plan.name} has ended: it was deleted in the cluster, for instance by kurun stop`, false, {
      cause,
    });
  }

  /** The annotations of the session that has the Service now. A takeover removes the old session before the new one is there. */
  async #successor(): Promise<Readonly<Record<string, string>> | undefined> {
    const { namespace, service, name } = this.plan;
    const path = objectPath("Service", namespace, controlServiceName(service));
    const until = performance.now() + SUCCESSOR_WITHIN_MS;
    do {
      const found = await this.#api.get<Service>(path).then(({ body }) => body.metadata, () => undefined);
      if (found && isOurs(found) && sessionOf(found) !== name) return shownAnnotations(found);
      await sleep(SUCCESSOR_POLL_MS);
    } while (performance.now() < until);
    return undefined;
  }

  #expired(cause?: ApiError): SessionGoneError {
    return new SessionGoneError(`session ${this.plan.name} has ended: its --ttl expired while kurun could not renew it`, true, { cause });
  }

  #replacedBy(who: string, from: string): SessionGoneError {
    return new SessionGoneError(`this kurun lost session ${this.plan.name}: replaced by ${who} from ${from}`, false);
  }

  /**
   * The Job as it is now, if nobody else has adopted it. It may be this client's already: the API client repeats a patch whose answer was
   * lost with its connection, and the first one has changed the version.
   * @throws {SessionTakenError} if it is another client's by now, {SessionGoneError} if it is gone
   */
  async #stillTheSame({ metadata }: Job): Promise<Job> {
    const job = (await this.#api.find<Job>(this.#path))?.body;
    if (!job || job.metadata.uid !== metadata.uid || isEnding(job)) throw this.#expired();
    const unchanged = job.metadata.annotations?.[Annotation.since] === metadata.annotations?.[Annotation.since];
    if (!unchanged && !this.#isMine(job)) throw new SessionTakenError(sessionOwner(job));
    return job;
  }

  #noteClock(clusterDate: Date | undefined): void {
    if (clusterDate) this.#clockOffset = clusterDate.getTime() - this.#now();
  }
}

/** Creates objects step by step. @throws {ObjectExistsError} if one exists; also as {@linkcode Api.create} does */
async function createAll(api: Api, steps: readonly (readonly OwnedObject[])[]): Promise<void> {
  for (const objects of steps) {
    // All of them end before an error is thrown: what is created after the session's removal would be left behind for a while.
    const results = await Promise.allSettled(objects.map(async (object) => {
      const { kind, metadata: { namespace, name } } = object;
      await api.create(objectPath(kind, namespace), object, { accept: METADATA_ONLY }).catch((error) => {
        throw error instanceof ApiError && error.status === 409 ? new ObjectExistsError(kind, name) : error;
      });
    }));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }
}
