import type { Api } from "../../k8s/api/api.ts";
import type { ClusterAccess } from "../../k8s/api/cluster_access.ts";
import type { RunPlan } from "../../k8s/session/objects/session_plan.ts";
import { type PodEnd, waitForPodEnd } from "../../k8s/session/pod/run_pod_end.ts";
import { type ClusterSession, SessionGoneError } from "../../k8s/session/session.ts";
import type { BuiltProgram } from "../builders/built_program.ts";
import type { ProgramSource } from "../builders/program_source.ts";
import type { Context } from "../command/context.ts";
import { ExitCode, ExitError, UserError } from "../command/errors.ts";
import { pause } from "../command/timers.ts";
import { holdSession } from "../session/hold_session.ts";
import { removeOwnSession } from "../session/keep_session.ts";
import type { StartedSession } from "../session/start_session.ts";
import { ReplacedError } from "../session/tunnel_link.ts";
import { ProgramBuilds, sentProgram } from "./program_builds.ts";
import { ProgramOutput } from "./program_output.ts";
import type { RemoteRun, RunSettings } from "./remote_run.ts";
import { describeRunEnd, failureHint, OUT_OF_MEMORY } from "./run_end.ts";
import type { RunOptions } from "./run_flags.ts";
import { RunInput } from "./run_input.ts";
import { forwardPorts } from "./run_ports.ts";
import { RunScreen } from "./run_screen.ts";
import { architectureFor, startRunSession } from "./run_session.ts";
import { RunSignals } from "./run_signals.ts";
import { buildUntilItWorks, watchProgram } from "./run_watch.ts";
import { SupervisorClient } from "./supervisor_client.ts";

/** The supervisor's message about the program's end may come this long after the cluster's about the Pod's. */
const LAST_WORDS_MS = 1_500;
/** The cluster's reason may come this long after a program was stopped with its Pod: the kubelet writes it when everything has ended. */
const CLUSTERS_WORD_MS = 10_000;

/** What a {@link ProgramRun} works with. */
interface ProgramRunOptions {
  readonly context: Context;
  readonly access: ClusterAccess;
  readonly api: Api;
  readonly options: RunOptions;
  readonly source: ProgramSource;
  readonly plan: RunPlan;
}

/** `kurun run` from the source to the program's end: it builds, sends and runs the program while the session is created and kept. */
export class ProgramRun {
  readonly #given: ProgramRunOptions;
  readonly #screen: RunScreen;
  readonly #client: SupervisorClient;
  readonly #output: ProgramOutput;
  /** Ends everything that goes on in parallel. */
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  /** Rejects with the signal's reason. */
  readonly #interrupted: Promise<never>;
  readonly #input: RunInput;
  readonly #say = (line: string) => this.#screen.say(line);
  #signals: RunSignals | undefined;
  /** The run that started last. */
  #current: RemoteRun | undefined;
  /** Whether the user's program has started. */
  started = false;

  constructor(given: ProgramRunOptions) {
    const { context } = given;
    this.#given = given;
    this.#screen = new RunScreen(context);
    this.#signal = AbortSignal.any([this.#stop.signal, context.interrupted]);
    this.#interrupted = new Promise((_, reject) => {
      const interrupted = () => reject(this.#signal.reason);
      if (this.#signal.aborted) interrupted();
      this.#signal.addEventListener("abort", interrupted);
    });
    this.#interrupted.catch(() => {});
    this.#output = new ProgramOutput(context.stdio, this.#screen);
    this.#client = new SupervisorClient((output, bytes) => this.#output.write(output, bytes));
    this.#input = new RunInput(context.stdio, this.#screen, {
      ...given.options,
      connected: () => this.#client.connected,
      interrupt: () => this.#signals?.take("SIGINT"),
    });
  }

  /** Runs the program to its end and removes what was created. @throws ExitError with its exit code, or why it did not end by itself */
  async run(): Promise<void> {
    const { context, options, api, plan, source } = this.#given;
    forwardPorts(options.ports, this.#client, this.#say, this.#signal);
    const architecture = source.language === "go" ? architectureFor(api, options, this.#signal) : Promise.resolve(undefined);
    const programs = new ProgramBuilds(source, {
      architecture: architecture.then((known) => known ?? Promise.race([this.#client.architecture, this.#interrupted])),
      stderr: (text) => this.#screen.print(text),
      signal: this.#signal,
    }, context.now);
    const session = startRunSession(context, api, plan, {
      architecture,
      named: options.named,
      transport: options.transport,
      signal: this.#signal,
    });
    session.catch(() => {});
    let remove = true;
    const program = this.#buildAndRun(programs);
    try {
      // The user reads about the one that fails first; the others are ended by that.
      const held = session.then((started) => this.#hold(started));
      await Promise.race([held, this.#interrupted, program]);
    } catch (error) {
      remove = !(error instanceof ReplacedError || error instanceof SessionGoneError);
      throw error;
    } finally {
      this.#stop.abort();
      // It gives the terminal and the signals back first: the clean-up takes time, and Ctrl+C must end kurun during it.
      await program.catch(() => {});
      this.#screen.clear();
      await programs[Symbol.asyncDispose]();
      const made = await session.catch(() => undefined);
      if (made && remove) await this.#leave(made.session);
    }
  }

  /** @throws ExitError, or the reason why it was interrupted */
  async #buildAndRun(programs: ProgramBuilds): Promise<void> {
    const { context, options } = this.#given;
    this.#screen.progress(`Building ${options.targets.join(" ")}`);
    // Before the build: a file that is saved while it is built or sent counts as a change.
    if (options.watch) await programs.watch();
    const built = options.watch ? await buildUntilItWorks(programs, this.#say) : await programs.build();
    this.#screen.progress(`Waiting for Pod ${this.#given.plan.name}`);
    const first = await this.#start(built);
    const current = () => this.#current ?? first;
    const signals = new RunSignals(context, (signal) => this.#client.ask({ do: "signal", run: current().number, signal }));
    this.#signals = signals;
    const resize = () => this.#client.ask({ do: "resize", run: current().number, ...context.stdio.size() });
    const resized = options.terminal ? context.stdio.onResize(resize) : () => {};
    this.#screen.clear();
    for (const { local, remote } of options.ports) this.#say(`localhost:${local} is forwarded to port ${remote} of the program`);
    try {
      const over = options.watch
        ? watchProgram({ programs, start: (built) => this.#start(built), running: current, say: this.#say, signals })
        : first.ended();
      const end = await Promise.race([over, signals.givenUp, this.#interrupted]);
      if (end.podStopped && !signals.asked) await Promise.race([this.#interrupted, pause(CLUSTERS_WORD_MS, context.interrupted)]);
      this.#input.takeBack();
      const said = describeRunEnd(end, { killedHere: signals.killed });
      if (said) this.#say(said);
      const hint = end.code === 0 ? undefined : await failureHint(this.#output.tail, this.#given.source);
      if (hint) this.#say(hint);
      throw new ExitError(end.code === 0 && this.#output.lost ? ExitCode.failed : end.code);
    } finally {
      resized();
      signals.release();
      this.#input.takeBack();
    }
  }

  /** Sends a program, removes it from this machine, and runs it. @returns once it has started @throws NotStartedError */
  async #start(built: BuiltProgram): Promise<RemoteRun> {
    const { options, context } = this.#given;
    const mb = (bytes: number) => (bytes / 1e6).toFixed(1);
    const program = sentProgram(built, (taken) => {
      if (taken < built.size) this.#screen.progress(`Sending the program: ${mb(taken)} of ${mb(built.size)} MB`);
    });
    const term = context.env("TERM");
    const settings: RunSettings = {
      kind: built.kind,
      ...(built.unstable.length > 0 ? { unstable: built.unstable } : {}),
      name: options.programName,
      args: options.args,
      env: [...(options.terminal && term ? [["TERM", term] as const] : []), ...options.env],
      workdir: options.workdir,
      ...(options.terminal ? { terminal: context.stdio.size() } : {}),
    };
    const run = this.#client.start(program, settings, options.stdin);
    // Not awaited: a signal that comes with the program's first output must already find the run.
    const sent = () => void built.dispose().catch(() => {});
    run.started.then(sent, sent);
    await Promise.race([run.started, this.#interrupted]);
    this.#current = run;
    this.started = true;
    this.#input.lend(run);
    return run;
  }

  /** Keeps the session and the tunnel until the Pod has ended. @throws why it ended, or why they cannot be kept */
  async #hold(started: StartedSession<RunPlan>): Promise<never> {
    const { context, access, api, options } = this.#given;
    const over = waitForPodEnd(api, started.session.plan, this.#signal).then((end) => this.#podEnded(end));
    const held = holdSession({
      context,
      access,
      api,
      started,
      onStream: (stream) => stream.reset(),
      onSession: (session) => this.#client.attach(session),
      say: this.#say,
      timeoutMs: options.timeoutMs,
      signal: this.#signal,
    });
    await Promise.race([over, held]);
    return await new Promise<never>(() => {});
  }

  async #podEnded({ kind, message, graceMs = 0 }: PodEnd): Promise<never> {
    const { plan, context } = this.#given;
    // The program's last output and its own end, if the Pod could still report them, come first.
    const told = kind === "deleted" ? [Promise.resolve(this.#current?.ended())] : [];
    await Promise.race([pause(graceMs + LAST_WORDS_MS, context.interrupted), ...told]);
    const pod = `Pod ${plan.name}`;
    if (kind === "out-of-memory") {
      this.#say(OUT_OF_MEMORY);
      throw new ExitError(this.started ? 137 : ExitCode.neverStarted);
    }
    const sentence = kind === "evicted"
      ? `the cluster ended ${pod}: ${message}`
      : kind === "deleted"
      ? `${pod} was deleted, by someone or with its node`
      : `${pod} has ended: ${message}`;
    throw new UserError(sentence, ExitCode.sessionLost);
  }

  /** Removes the session, or leaves it if the user asked for that. */
  async #leave(session: ClusterSession): Promise<void> {
    const { options, context } = this.#given;
    const { name, namespace, ttlSeconds } = session.plan;
    if (options.rm === "false" && this.started) {
      const until = ttlSeconds > 0 ? `for ${ttlSeconds} s` : "until it is removed";
      return this.#say(`Pod ${name} stays ${until}: kurun stop ${name} -n ${namespace} removes it`);
    }
    await removeOwnSession(context, session);
  }
}
