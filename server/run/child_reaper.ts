import { libc, Linux } from "./libc.ts";

/** The status that waitpid(2) reports for a process that exited with code 1. */
const EXITED_WITH_1 = 1 << 8;
/** waitpid(2): any child, whoever started it. */
const ANY_CHILD = -1;
/** Statuses are also looked for this often, in milliseconds. The timer keeps the event loop alive, which a signal listener does not. */
const POLL_MS = 1_000;

/**
 * Collects the exit statuses of child processes on SIGCHLD.
 *
 * Process 1 of a container inherits every process whose parent has ended: what a program leaves behind, and what `kubectl exec` leaves
 * behind. Each of them stays a zombie, which counts against the Pod's limit of processes, until process 1 waits for it.
 */
export class ChildReaper {
  readonly #reapsAll: boolean;
  readonly #waiting = new Map<number, (status: number) => void>();
  readonly #onChild = () => this.#collect();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param reapsAll reap every child, as process 1 must. Otherwise only the awaited ones: the rest may be children of `Deno.Command`. */
  constructor(reapsAll: boolean) {
    this.#reapsAll = reapsAll;
    if (reapsAll) Deno.addSignalListener("SIGCHLD", this.#onChild);
  }

  /**
   * Waits for a child to end. Call it in the same turn as the child is started, or its status may have been collected and dropped.
   * @returns its status, as waitpid(2) reports it
   */
  status(pid: number): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    if (!this.#reapsAll && this.#waiting.size === 0) Deno.addSignalListener("SIGCHLD", this.#onChild);
    this.#timer ??= setInterval(this.#onChild, POLL_MS);
    this.#waiting.set(pid, resolve);
    // It may have ended before the listener was there.
    this.#collect();
    return promise;
  }

  #collect(): void {
    if (this.#reapsAll) { while (this.#collectOne(ANY_CHILD)); }
    else for (const pid of [...this.#waiting.keys()]) this.#collectOne(pid);
  }

  /** @returns whether a child had ended */
  #collectOne(which: number): boolean {
    const status = new Int32Array(1);
    const pid = libc().waitpid(which, new Uint8Array(status.buffer), Linux.WNOHANG);
    if (pid > 0) this.#ended(pid, status[0] as number);
    // Somebody else has collected it, and its status is gone; waiting for it would never end.
    else if (pid < 0 && which !== ANY_CHILD) this.#ended(which, EXITED_WITH_1);
    return pid > 0;
  }

  #ended(pid: number, status: number): void {
    this.#waiting.get(pid)?.(status);
    if (!this.#waiting.delete(pid) || this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (!this.#reapsAll) Deno.removeSignalListener("SIGCHLD", this.#onChild);
  }
}
