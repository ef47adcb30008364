import { kurunCommand, KurunProcess } from "./kurun_process.ts";
import type { TestNamespace } from "./kubernetes.ts";

/** The result of a kurun command. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `kurun WORDS…` in a namespace. */
export function kurun(namespace: TestNamespace, ...words: string[]): Promise<Ended> {
  return KurunProcess.run([...words, "-n", namespace.name]);
}

/** Runs kurun in a folder with this standard input. */
export async function kurunReading(text: string, args: string[], cwd: string, env: Record<string, string> = {}): Promise<Ended> {
  const [program, ...before] = kurunCommand();
  const options: Deno.CommandOptions = { args: [...before, ...args], cwd, env, stdin: "piped", stdout: "piped", stderr: "piped" };
  const child = new Deno.Command(program!, options).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

/** A folder of files, removed when the test ends. */
export class Files implements AsyncDisposable {
  private constructor(readonly folder: string) {}

  static async of(files: Record<string, string>): Promise<Files> {
    const made = new Files(await Deno.makeTempDir({ prefix: "kurun-test-" }));
    for (const [name, text] of Object.entries(files)) await made.write(name, text);
    return made;
  }

  async write(name: string, text: string): Promise<void> {
    const path = this.path(name);
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(path, text);
  }

  path(name: string): string {
    return `${this.folder}/${name}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** A ConfigMap's manifest. */
export function configMap(name: string, data: Record<string, string> = {}): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n${
    Object.keys(data).length === 0 ? "" : `data: ${JSON.stringify(data)}\n`
  }`;
}

/** A Deployment's manifest, without Pods by default. */
export function deployment(name: string, { replicas, image = "kurun.test/none:1" }: { replicas?: number; image?: string } = {}): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
${replicas === undefined ? "" : `  replicas: ${replicas}\n`}  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      terminationGracePeriodSeconds: 1
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: main
        image: ${image}
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`;
}
