/** Tests of the executable from `deno task compile`, if KURUN_COMPILED names it; tests/run.ts and ci.yml set that. */
import assert from "node:assert/strict";
import { resolve } from "node:path";
import { certificateAuthority } from "./certificate_authority.ts";
import { readSlowly } from "./slow_reader.ts";

const LIFETIME = { days: 1, now: new Date() };
const COMPILED = Deno.env.get("KURUN_COMPILED");

function compiledTest(name: string, fn: (compiled: string) => Promise<void>, unless?: string): void {
  const lacks = COMPILED === undefined ? "KURUN_COMPILED is not set" : unless;
  const title = lacks === undefined ? name : `${name} (skipped: ${lacks})`;
  Deno.test({ name: title, ignore: lacks !== undefined, fn: () => fn(resolve(COMPILED as string)) });
}

async function output(program: string, args: string[], env: Record<string, string> = {}): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args, env, stdout: "piped", stderr: "piped" }).output();
  const text = new TextDecoder();
  assert.equal(code, 0, text.decode(stderr));
  return text.decode(stdout);
}

compiledTest("the compiled kurun shows its help, with examples", async (compiled) => {
  assert.match(await output(compiled, ["port-forward", "--help"]), /\nExamples:\n/);
});

compiledTest("as kubectl-kurun it is kubectl's plugin and says so in its help", async (compiled) => {
  const folder = await Deno.makeTempDir({ prefix: "kurun-plugin-" });
  await Deno.symlink(compiled, `${folder}/kubectl-kurun`);
  const help = await output(`${folder}/kubectl-kurun`, ["port-forward", "--help"]);
  assert.match(help, /^Usage: kubectl kurun port-forward/);
  assert.match(help, /^ {2}kubectl kurun port-forward http:\/\/localhost:8080$/m);
  assert.match(await output(compiled, ["port-forward", "--help"]), /^Usage: kurun port-forward/);
  await Deno.remove(folder, { recursive: true });
}, Deno.build.os === "windows" ? "a link without .exe does not run on Windows" : undefined);

compiledTest("it reads a kubeconfig and lists the sessions of a cluster", async (compiled) => {
  const folder = await Deno.makeTempDir({ prefix: "kurun-compiled-" });
  const asked: string[] = [];
  const answer = ({ url, headers }: Request) => {
    asked.push(`${headers.get("authorization")} ${new URL(url).pathname}`);
    return Response.json({ kind: "JobList", apiVersion: "batch/v1", metadata: {}, items: [] });
  };
  const authority = await certificateAuthority({ commonName: "compiled test", ...LIFETIME });
  const { certPem: cert, keyPem: key } = await authority.issue({ names: ["127.0.0.1"], ...LIFETIME });
  await using api = Deno.serve({ hostname: "127.0.0.1", port: 0, cert, key, onListen: () => {} }, answer);
  const server = { server: `https://127.0.0.1:${api.addr.port}`, "certificate-authority": "ca.pem" };
  const config = {
    "current-context": "here",
    clusters: [{ name: "here", cluster: server }],
    users: [{ name: "me", user: { token: "secret" } }],
    contexts: [{ name: "here", context: { cluster: "here", user: "me", namespace: "dev" } }],
  };
  await Deno.writeTextFile(`${folder}/ca.pem`, authority.certPem);
  await Deno.writeTextFile(`${folder}/config`, JSON.stringify(config));
  await output(compiled, ["ls", "--kubeconfig", `${folder}/config`]);
  assert.ok(asked.includes("Bearer secret /apis/batch/v1/namespaces/dev/jobs"), asked.join());
  await Deno.remove(folder, { recursive: true });
});

compiledTest("it makes the Pod's image from the server that it contains", async (compiled) => {
  const file = await Deno.makeTempFile({ suffix: ".tar" });
  assert.match(await output(compiled, ["image", "--output", file]), /contains ghcr\.io\/kurun-dev\/server:/);
  assert.ok((await Deno.stat(file)).size > 20_000_000);
  await Deno.remove(file);
}, Deno.build.os === "linux" ? undefined : "the image is made of glibc's files");

compiledTest("it writes everything into a non-blocking pipe whose reader is slow", async (compiled) => {
  const manifest = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big}\ndata:\n  text: ${"x".repeat(300_000)}\n`;
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  await Deno.writeTextFile(file, manifest);
  const { stdout, stderr } = await readSlowly([compiled, "resolve", "-f", file]);
  assert.equal(stdout, `${manifest.length} 0\n`, stderr);
  await Deno.remove(file);
}, Deno.build.os === "linux" ? undefined : "a pipe is reopened through /proc");

compiledTest("it keeps no code in the temporary folder, where others can write", async (compiled) => {
  const folder = await Deno.makeTempDir({ prefix: "kurun-temporary-" });
  const env = { TMPDIR: folder, TMP: folder, TEMP: folder };
  await output(compiled, ["completion", "bash"], env);
  assert.deepEqual(await Array.fromAsync(Deno.readDir(folder), ({ name }) => name), []);
  await Deno.remove(folder);
});
