/** gRPC through a Service, Go's own at both ends (tests/grpc). */
import assert from "node:assert/strict";
import { certificateAuthority } from "../certificate_authority.ts";
import { grpcProgram } from "../grpc_program.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, logOf } from "./kubernetes.ts";

/** Longer than all calls of `grpc call` take together. */
const CALLS_MS = 30_000;

/** What `grpc call` prints if everything works. */
const ALL_CALLS = [
  "unary: 4000000 bytes, the same: true",
  "status: FailedPrecondition not today [a test]",
  "client streaming: 1000 messages, 1000000 bytes",
  "server streaming: 1000 in order",
  "both streaming: 100 turns, then EOF",
  "cancelled after [yes] as Canceled",
  "flood cancelled as Canceled",
  "deadline: DeadlineExceeded in time: true",
  "at once: 100",
  "",
];

/** A gRPC server on the laptop's side. */
class GrpcServer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  said = "";

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** @param files of its certificate and key, where it speaks TLS */
  static async start(...files: string[]): Promise<{ server: GrpcServer; port: number }> {
    const options: Deno.CommandOptions = { args: ["serve", ...files], stdin: "null", stdout: "piped", stderr: "inherit" };
    const server = new GrpcServer(new Deno.Command(await grpcProgram(), options).spawn());
    const [, port] = await server.hears(/^(\d+)\n/);
    return { server, port: Number(port) };
  }

  /** Waits until what it has printed matches. */
  async hears(pattern: RegExp): Promise<RegExpExecArray> {
    const late = setTimeout(() => this.#lines.cancel(), 10_000);
    try {
      for (;;) {
        const found = pattern.exec(this.said);
        if (found) return found;
        const { value, done } = await this.#lines.read();
        if (done) throw new Error(`no ${pattern} in what the gRPC server said:\n${this.said}`);
        this.said += value;
      }
    } finally {
      clearTimeout(late);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#lines.cancel();
    await this.#child.status;
  }
}

/** Runs the caller in the cluster to its end. @returns what it printed */
async function grpc(...args: string[]): Promise<string> {
  const options: Deno.CommandOptions = { args, stdin: "null", stderr: "inherit", signal: AbortSignal.timeout(CALLS_MS) };
  return new TextDecoder().decode((await new Deno.Command(await grpcProgram(), options).output()).stdout);
}

/** Asserts that the server saw each caller leave by itself, while the connection stayed open. */
async function sawThemGo(server: GrpcServer): Promise<void> {
  await server.hears(/^Wait for a cancel with \d+ ms ended: context canceled$/m);
  await server.hears(/^Flood ended: context canceled$/m);
  // Its own clock and the caller's reset are a race.
  const [, ms] = await server.hears(/^Wait for a deadline with (\d+) ms ended: context (?:canceled|deadline exceeded)$/m);
  assert.ok(Number(ms) <= 300, `${ms} ms of 300`);
}

clusterTest("gRPC in plain HTTP/2: all four kinds of call, status, cancellation and deadline, and -v has one line", async (namespace) => {
  const { server, port } = await GrpcServer.start();
  await using _server = server;
  const args = ["port-forward", `http://localhost:${port}`, "-n", namespace.name, "--app-protocol", "h2", "-v"];
  await using kurun = await KurunProcess.start(args).ready();
  assert.deepEqual((await grpc("call", `${await namespace.address()}:80`)).split("\n"), ALL_CALLS);
  await sawThemGo(server);
  await kurun.waitFor(/^\S+ h2 - - \d+(\.\d)?MB \d+ms \d+\.\d+\.\d+\.\d+:\d+ \d+(\.\d)?MB in/m);
  assert.equal(kurun.stderr.match(/^\S+ \S+ \S+ \S+ \d\S*B /gm)?.length, 1, kurun.stderr);
});

clusterTest(
  "a gRPC caller reads kurun's sentence where no program runs and where nobody is connected, on one connection each",
  async (namespace) => {
    const args = ["port-forward", "http://localhost:9", "-n", namespace.name, "--app-protocol", "h2", "-v"];
    await using kurun = await KurunProcess.start(args).ready();
    const address = `${await namespace.address()}:80`;
    const unavailable = "^failed: rpc error: code = Unavailable desc = .*received prior goaway: .*debug data: .*kurun: ";
    assert.match(
      await grpc("call", address),
      new RegExp(`${unavailable}http://localhost:9 refused the connection: is the program running`),
    );
    kurun.signal("SIGKILL");
    assert.match(await grpc("call", address), new RegExp(`${unavailable}nobody is connected to session `));
    const pod = (await kubectl(["get", "pods", "-n", namespace.name, "-o", "name"])).trim();
    const log = await logOf(namespace, pod, /(caller=.* end=[^]*){2}/);
    assert.deepEqual(log.match(/caller=.* end=\d{3}/g)?.map((line) => line.slice(-3)), ["502", "503"]);
  },
);

clusterTest("gRPC over the Pod's TLS to an https program works the same, and -v has a line for each connection", async (namespace) => {
  const now = new Date();
  const authority = await certificateAuthority({ commonName: "a test's", days: 1, now });
  const folder = await Deno.makeTempDir({ prefix: "kurun-grpc-" });
  const name = `kurun.${namespace.name}.svc`;
  await Deno.writeTextFile(`${folder}/ca.crt`, authority.certPem);
  for (const [file, names] of [["service", [name]], ["program", ["localhost"]]] as const) {
    const { certPem, keyPem } = await authority.issue({ names, days: 1, now });
    await Deno.writeTextFile(`${folder}/${file}.crt`, certPem);
    await Deno.writeTextFile(`${folder}/${file}.key`, keyPem);
  }
  const files = [`--cert=${folder}/service.crt`, `--key=${folder}/service.key`];
  await kubectl(["create", "secret", "tls", "mine", "-n", namespace.name, ...files]);
  const { server, port } = await GrpcServer.start(`${folder}/program.crt`, `${folder}/program.key`);
  await using _server = server;
  const flags = ["-n", namespace.name, "--tlssecret", "mine", "--serviceport", "443", "--app-protocol", "h2", "-v"];
  for (const trust of [[], ["--upstream-ca", `${folder}/ca.crt`]]) {
    await using kurun = await KurunProcess.start(["port-forward", `https://localhost:${port}`, ...flags, ...trust]).ready();
    assert.deepEqual((await grpc("call", `${await namespace.address()}:443`, `${folder}/ca.crt`, name)).split("\n"), ALL_CALLS);
    await sawThemGo(server);
    await kurun.waitFor(/^\S+ h2 - - \d+(\.\d)?MB \d+ms \d+\.\d+\.\d+\.\d+:\d+ \d+(\.\d)?MB in/m);
    server.said = "";
  }
  await Deno.remove(folder, { recursive: true });
});
