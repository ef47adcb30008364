import { findProgram, isFile, runCommand } from "./commands.ts";
import { ClusterError, ClusterUnavailableError } from "./errors.ts";

/** The first Go that downloads the newer one that a go.mod asks for. */
const OLDEST_MINOR = 21;
/** Where go.dev's instructions install it; sudo's PATH lacks it. */
const USUAL_PLACE = "/usr/local/go/bin/go";
/** How many of the last lines of a failed build are shown. */
const SAID_LINES = 30;
const BUILD_FLAGS = ["-trimpath", "-buildvcs=false"];

/** Go on this machine. */
export interface Go {
  readonly program: string;
  /** Such as `go1.26.1`. */
  readonly version: string;
}

/**
 * Finds Go.
 * @throws {ClusterUnavailableError} if there is none, or it is too old
 */
export async function findGo(): Promise<Go> {
  const advice =
    `The test cluster is built with Go 1.${OLDEST_MINOR} or newer: https://go.dev/dl, or apt-get install golang-go on Debian 13.`;
  const program = await findProgram("go") ?? (await isFile(USUAL_PLACE) ? USUAL_PLACE : undefined);
  if (!program) throw new ClusterUnavailableError(`"go" was not found in PATH. ${advice}`);
  const { code, stdout, said } = await runCommand([program, "env", "GOVERSION"], { env: { GOTOOLCHAIN: "local" }, cwd: "/" });
  const version = stdout.trim();
  if (code !== 0 || !version) throw new ClusterUnavailableError(`${program} env GOVERSION failed: ${said}. ${advice}`);
  const minor = Number(/^go1\.(\d+)/.exec(version)?.[1] ?? OLDEST_MINOR);
  if (minor < OLDEST_MINOR) throw new ClusterUnavailableError(`${program} is ${version}. ${advice}`);
  return { program, version };
}

/** Go's name for this machine's architecture. */
export function goArchitecture(): string {
  return Deno.build.arch === "aarch64" ? "arm64" : "amd64";
}

/**
 * Builds the program in a module's directory.
 *
 * @param detail receives the progress
 * @throws {ClusterError} with the compiler's output
 */
export async function goBuild(
  go: Go,
  directory: string,
  flags: readonly string[],
  output: string,
  detail: (text: string) => void,
): Promise<void> {
  await run(go, directory, ["build", "-v", ...BUILD_FLAGS, ...flags, "-o", output, "."], detail);
}

/**
 * Downloads the modules whose packages a program imports, and no others.
 *
 * @param flags as for {@link goBuild}: tags decide what is imported
 * @param detail receives the progress
 * @throws {ClusterError} with Go's output
 */
export async function goFetch(go: Go, directory: string, flags: readonly string[], detail: (text: string) => void): Promise<void> {
  await run(go, directory, ["list", "-deps", "-f", "", ...BUILD_FLAGS, ...flags, "."], detail);
}

async function run(go: Go, directory: string, args: readonly string[], detail: (text: string) => void): Promise<void> {
  const toolchain = Deno.env.get("GOTOOLCHAIN");
  const child = new Deno.Command(go.program, {
    args: [...args],
    cwd: directory,
    env: {
      CGO_ENABLED: "0",
      GOOS: "linux",
      GOARCH: goArchitecture(),
      GOWORK: "off",
      // Debian's Go and the golang images set "local": they download no newer Go, and a go.mod that needs one fails.
      GOTOOLCHAIN: !toolchain || toolchain === "local" ? "auto" : toolchain,
    },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let packages = 0;
  let modules = 0;
  const said: string[] = [];
  for await (const line of lines(child.stderr)) {
    if (line.startsWith("go: downloading ")) detail(`${++modules} modules downloaded`);
    // With -v Go names each package as it compiles it.
    else if (/^[\w./~-]+$/.test(line)) detail(`${++packages} packages compiled`);
    else if (said.push(line) > SAID_LINES) said.shift();
  }
  const { code } = await child.status;
  if (code === 0) return;
  throw new ClusterError(
    `go ${args[0]} in ${directory} ended with exit code ${code} (${go.program}, ${go.version}):\n${said.join("\n")}\n` +
      "Modules come from the Go module proxy (see `go env GOPROXY`). Finished packages are kept: a second try goes on from there.",
  );
}

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
  if (rest) yield rest;
}
