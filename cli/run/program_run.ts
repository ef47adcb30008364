import type { Api } from "../../k8s/api/api.ts";
import type { ClusterAccess } from "../../k8s/api/cluster_access.ts";
import { MAX_PROGRAM_BYTES } from "../../k8s/session/run_objects.ts";
import { type PodEnd, waitForPodEnd } from "../../k8s/session/run_pod_end.ts";
import { type ClusterSession, SessionGoneError } from "../../k8s/session/session.ts";
import type { SessionPlan } from "../../k8s/session/session_objects.ts";
import { Alarm } from "../alarm.ts";
import { buildSource } from "../builders/build_program.ts";
import type { BuiltProgram } from "../builders/built_program.ts";
import type { Context } from "../context.ts";
import { ExitCode, UserError } from "../errors.ts";
import { keepSession, RightsLostError } from "../session/keep_session.ts";
import { pause } from "../pause.ts";
import type { ProgramSource } from "../builders/program_source.ts";
import { type ClientRun, NotStartedError, RunClient, type RunWishes } from "./run_client.ts";
import { describeRunEnd, ProgramEndedError } from "./run_end.ts";
import type { RunOptions } from "./run_flags.ts";
import { holdRunLink } from "./run_link.ts";
import { RunPorts } from "./run_ports.ts";
import { RunScreen } from "./run_screen.ts";
import { architectureFor, startRunSession } from "./run_session.ts";
import { RunSignals } from "./run_signals.ts";
import { sentProgram } from "./sent_program.ts";
import type { StartedSession } from "../session/start_session.ts";
import { ReplacedError } from "../session/tunnel_link.ts";
import { onWake } from "../wake.ts";
import { watchProgram } from "./run_watch.ts";

/** What the Pod says of the program's end may come after the cluster's word of the Pod's end. */
const LAST_WORDS_MS = 1_500;

/** What a {@link ProgramRun} works with. */
export interface ProgramRunOptions {
  readonly context: Context;
  readonly access: ClusterAccess;
  readonly api: Api;
  readonly options: RunOptions;
  readonly source: ProgramSource;
  readonly plan: SessionPlan;
}

/** A program from its source to its end: built, sent and run, while all that the cluster has of it is made and removed again. */
export class ProgramRun {
  readonly #given: ProgramRunOptions;
  readonly #screen: RunScreen;
  readonly #client: RunClient;
  /** Ends all that goes on beside. */
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #started = false;

  constructor(given: ProgramRunOptions) {
    const { context } = given;
    this.#given = given;
    this.#screen = new RunScreen(context);
    this.#signal = AbortSignal.any([this.#stop.signal, context.interrupted]);
    this.#client = new RunClient((output, bytes) => {
      this.#screen.clear();
      return context.stdio.write(output, bytes);
    });
  }

  /** Whether a program of the user's has run. */
  get started(): boolean {
    return this.#started;
  }

  /** Runs it to its end, and removes what was made. @throws ProgramEndedError with its exit code, or why it did not come to that */
  async run(): Promise<void> {
    const { context, options, api, plan } = this.#given;
    const ports = new RunPorts(options.ports, this.#signal);
    const architecture = this.#given.source.language === "go" ? architectureFor(api, options, this.#signal) : Promise.resolve(undefined);
    const programs = new ProgramBuilds(this.#given, this.#screen, {
      architecture: architecture.then((known) => known ?? Promise.race([this.#client.architecture, interruption(this.#signal)])),
      signal: this.#signal,
    });
    const session = startRunSession(context, api, plan, { architecture, named: options.named, signal: this.#signal });
    session.catch(() => {});
    let remove = true;
    try {
      const building = programs.build();
      // Whichever fails first is what the user must read; the other is ended by it.
      const held = session.then((started) => this.#hold(started));
      ports.serve(this.#client, (line) => this.#screen.say(line), this.#signal);
      await Promise.race([held, interruption(context.interrupted), this.#runBuilt(building, programs)]);
    } catch (error) {
      remove = !(error instanceof ReplacedError || error instanceof SessionGoneError);
      throw this.#started ? lostForGood(error) : error;
    } finally {
      this.#stop.abort();
      this.#screen.clear();
      await programs.dispose();
      const made = await session.catch(() => undefined);
      if (made && remove) await this.#leave(made.session);
    }
  }

  async #runBuilt(building: Promise<BuiltProgram>, programs: ProgramBuilds): Promise<void> {
    const { context: { stdio }, options } = this.#given;
    this.#screen.progress(`Building ${options.targets.join(" ")}`);
    const first = this.#start(await building);
    this.#screen.progress(`Waiting for Pod ${this.#given.plan.name}`);
    await first.started;
    this.#started = true;
    this.#screen.clear();
    for (const { local, remote } of options.ports) this.#screen.say(`localhost:${local} leads to port ${remote} of the program`);
    let current = first;
    const signals = new RunSignals(this.#given.context, (signal) => this.#client.signal(current, signal));
    const resized = options.terminal ? stdio.onResize(() => this.#client.resize(current, stdio.size())) : () => {};
    if (options.terminal) this.#setRaw(true);
    if (options.stdin) void this.#carryInput(() => current).catch(() => {});
    try {
      const end = options.watch
        ? await watchProgram({
          ...this.#given,
          architecture: programs.architecture,
          first,
          build: () => programs.build(),
          start: (built) => current = this.#start(built),
          say: (line) => this.#screen.say(line),
          signals,
          signal: this.#signal,
        })
        : await Promise.race([first.ended(), signals.givenUp]);
      if (options.terminal) this.#setRaw(false);
      const said = describeRunEnd(end, { killedHere: signals.killed });
      if (said) this.#screen.say(said);
      throw new ProgramEndedError(end.code);
    } finally {
      resized();
      signals.release();
      if (options.terminal) this.#setRaw(false);
    }
  }

  #start(built: BuiltProgram): ClientRun {
    const { options, context } = this.#given;
    const mb = (bytes: number) => (bytes / 1e6).toFixed(1);
    const program = sentProgram(built, (taken) => {
      if (taken < built.size) this.#screen.progress(`Sending the program: ${mb(taken)} of ${mb(built.size)} MB`);
    });
    const term = context.env("TERM");
    const wishes: RunWishes = {
      kind: built.kind,
      ...(built.unstable.length > 0 ? { unstable: built.unstable } : {}),
      name: options.programName,
      args: options.args,
      env: [...(options.terminal && term ? [["TERM", term] as const] : []), ...options.env],
      workdir: options.workdir,
      ...(options.terminal ? { terminal: context.stdio.size() } : {}),
    };
    return this.#client.start(program, wishes, options.stdin);
  }

  /** Keeps session and tunnel until the Pod is over. @throws why it is, or why it cannot be kept */
  async #hold(started: StartedSession): Promise<never> {
    const { context, access, api, options } = this.#given;
    const { session } = started;
    const renewNow = new Alarm();
    onWake(context.date, () => renewNow.ring(), this.#signal);
    const over = waitForPodEnd(api, session.plan, this.#signal).then((end) => this.#podEnded(end));
    const kept = keepSession(session, renewNow, this.#signal);
    const link = holdRunLink({
      context,
      access,
      api,
      started,
      client: this.#client,
      timeoutMs: options.timeoutMs,
      say: (line) => this.#screen.say(line),
      onLost: () => renewNow.ring(),
      signal: this.#signal,
    });
    await Promise.race([over, kept, link]);
    return await new Promise<never>(() => {});
  }

  async #podEnded({ kind, message }: PodEnd): Promise<never> {
    const { plan, context } = this.#given;
    // What the program wrote last, and its own end where the Pod could still tell, come first.
    await pause(LAST_WORDS_MS, context.interrupted);
    const pod = `Pod ${plan.name}`;
    if (kind === "out-of-memory") {
      this.#screen.say(`The program was killed (exit code 137): the Pod's memory ran out. Give it more with --limits memory=…`);
      throw new ProgramEndedError(this.#started ? 137 : ExitCode.neverStarted);
    }
    const sentence = kind === "evicted"
      ? `the cluster ended ${pod}: ${message}`
      : kind === "deleted"
      ? `${pod} was deleted, by somebody or with its node`
      : `${pod} has ended: ${message}`;
    throw new UserError(sentence, ExitCode.sessionLost);
  }

  async #carryInput(run: () => ClientRun): Promise<void> {
    const { stdio } = this.#given.context;
    for (let bytes = await stdio.read(); bytes !== null; bytes = await stdio.read()) {
      const full = run().input.write(bytes);
      if (full) await full;
    }
    run().input.end();
  }

  #setRaw(raw: boolean): void {
    this.#given.context.stdio.setRaw(raw);
    this.#screen.raw = raw;
  }

  /** Removes the session, or leaves it where that was asked for. */
  async #leave(session: ClusterSession): Promise<void> {
    const { options, context } = this.#given;
    const { name, namespace, ttlSeconds } = session.plan;
    if (!options.remove && this.#started) {
      const until = ttlSeconds > 0 ? `for ${ttlSeconds} s` : "until somebody removes it";
      return this.#screen.say(`Pod ${name} stays ${until}: kurun stop ${name} -n ${namespace} removes it`);
    }
    try {
      await session.delete();
    } catch (error) {
      const later = ttlSeconds > 0 ? `the cluster removes it within ${ttlSeconds} s` : "it stays, since --ttl is 0";
      context.stderr(`Session ${name} could not be removed (${(error as Error).message}): ${later}\n`);
    }
  }
}

/** Builds a source, as often as it is asked to, and removes what was built. */
class ProgramBuilds {
  readonly architecture: Promise<string>;
  readonly #given: ProgramRunOptions;
  readonly #screen: RunScreen;
  readonly #signal: AbortSignal;
  readonly #builds: Promise<BuiltProgram>[] = [];

  constructor(given: ProgramRunOptions, screen: RunScreen, options: { architecture: Promise<string>; signal: AbortSignal }) {
    this.#given = given;
    this.#screen = screen;
    this.architecture = options.architecture;
    this.architecture.catch(() => {});
    this.#signal = options.signal;
  }

  /** @throws BuildError, also for a program that is too large */
  async build(): Promise<BuiltProgram> {
    const building = buildSource(this.#given.source, {
      architecture: this.architecture,
      stderr: (text) => this.#screen.compiler(text),
      signal: this.#signal,
    });
    this.#builds.push(building);
    building.catch(() => {});
    const built = await building;
    if (built.size > MAX_PROGRAM_BYTES) {
      const [size, most] = [built.size, MAX_PROGRAM_BYTES].map((bytes) => Math.round(bytes / 1e6));
      throw new UserError(`the program has ${size} MB, and the Pod takes ${most} at most`, ExitCode.neverStarted);
    }
    return built;
  }

  async dispose(): Promise<void> {
    for (const building of this.#builds) await building.then((built) => built.dispose(), () => {});
  }
}

/** Says by its exit code that a session was there and is lost. */
function lostForGood(error: unknown): unknown {
  if (error instanceof ReplacedError || error instanceof SessionGoneError) {
    return new UserError(error.message, ExitCode.sessionLost, { cause: error });
  }
  if (error instanceof RightsLostError) {
    return new UserError(`the right to keep the session was taken away: ${error.message}`, ExitCode.sessionLost, { cause: error });
  }
  if (error instanceof NotStartedError) return new UserError(`the program could not be started: ${error.message}`, ExitCode.neverStarted);
  return error;
}

/** @throws the signal's reason once it is aborted */
function interruption(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const interrupted = () => reject(signal.reason);
    if (signal.aborted) interrupted();
    signal.addEventListener("abort", interrupted);
  });
}
