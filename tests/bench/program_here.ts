/** Finds a free port of 127.0.0.1. */
export function freePort(): number {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  return listener.addr.port;
}

/** A program that listens on this machine, in its own process so that it does not share an event loop with the measurement. */
export class ProgramHere implements AsyncDisposable {
  private constructor(readonly child: Deno.ChildProcess, readonly port: number) {}

  /** Starts the program and waits until its port is open. @throws if it ends first */
  static async start(program: string, args: readonly string[], port: number): Promise<ProgramHere> {
    const child = new Deno.Command(program, { args: [...args], stdin: "null", stdout: "null", stderr: "inherit" }).spawn();
    let ended: number | undefined;
    child.status.then(({ code }) => ended = code);
    while (!await Deno.connect({ hostname: "127.0.0.1", port }).then((connection) => (connection.close(), true), () => false)) {
      if (ended !== undefined) throw new Error(`${program} ${args.join(" ")} ended with exit code ${ended}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return new ProgramHere(child, port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.child.kill("SIGTERM");
    } catch {
      // It has ended already.
    }
    await this.child.status;
  }
}
