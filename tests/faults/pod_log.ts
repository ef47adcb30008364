/** Follows the log of the server's Pod in a namespace until the Pod ends, because the log disappears with it. */
export class PodLog implements AsyncDisposable {
  text = "";
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<void>;

  constructor(namespace: string) {
    const args = ["logs", "-f", "-n", namespace, "-l", "kurun.dev/session"];
    this.#child = new Deno.Command("kubectl", { args, stdin: "null", stdout: "piped", stderr: "null" }).spawn();
    this.#read = this.#gather();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended with its Pod.
    }
    await this.#read;
    await this.#child.status;
  }

  async #gather(): Promise<void> {
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) this.text += text;
  }
}
