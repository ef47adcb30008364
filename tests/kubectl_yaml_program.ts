/**
 * Builds and runs tests/kubectl_yaml, which reads manifests as kubectl does.
 *
 * @module
 */
import { parseJson } from "../k8s/api/exact_json.ts";
import { findGo, goBuild } from "./cluster/go.ts";

const FOLDER = new URL("kubectl_yaml/", import.meta.url).pathname;
const PROGRAM = new URL("../build/kubectl_yaml", import.meta.url).pathname;

/** What kubectl makes of a manifest. */
export interface KubectlReading {
  /** The objects in their order, as JSON; those before the error where there is one. */
  readonly documents: readonly unknown[];
  /** Why the rest was not read. */
  readonly error?: string;
}

/** Reads manifests with kubectl's code, each by itself. @throws ClusterUnavailableError without Go, ClusterError with Go's output */
export async function readAsKubectl(manifests: readonly Uint8Array<ArrayBuffer>[]): Promise<KubectlReading[]> {
  await goBuild(await findGo(), FOLDER, ["-mod=readonly"], PROGRAM, () => {});
  const child = new Deno.Command(PROGRAM, { stdin: "piped", stdout: "piped" }).spawn();
  const input = manifests.map((bytes) => `${bytes.toBase64()}\n`).join("");
  const written = new Response(input).body!.pipeTo(child.stdin);
  const { code, stdout } = await child.output();
  await written;
  if (code !== 0) throw new Error(`kubectl_yaml ended with exit code ${code}`);
  return new TextDecoder().decode(stdout).trimEnd().split("\n").map((line) => parseJson(line) as KubectlReading);
}
