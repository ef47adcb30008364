/** From nothing to the first answer, in a root that has only curl, sh and a kubeconfig: with install.sh, as one executable. */
import assert from "node:assert/strict";
import { checksumList, releasedFile, writeArchive } from "../../release/archive.ts";
import { archiveName, type Target, TARGETS } from "../../release/targets.ts";
import { findProgram } from "../cluster/commands.ts";
import { certificateAuthority } from "../certificate_authority.ts";
import { COMPILED_VARIABLE } from "../compiled_kurun.ts";
import { KubeconfigFile } from "./kubeconfig_file.ts";
import { callFromPod, clusterTest, printFigure } from "./kubernetes.ts";
import { KurunProcess } from "./kurun_process.ts";
import { serveHttp } from "./upstreams.ts";

const RELEASES = "https://github.com/kurun-dev/kurun/releases/latest/download/";
/** GitHub redirects to another host. */
const FILES = "https://release-assets.githubusercontent.com/";
/** Where these hosts are here. */
const ADDRESS = "127.44.3.1";
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Enters a root, in which a container would find /proc and /dev too, and runs a shell command. */
const ENTER =
  'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec env -i HOME=/root PATH="$1" CURL_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt chroot "$0" /bin/sh -c "$2"';

const compiled = Deno.env.get(COMPILED_VARIABLE);
const programs = { busybox: await findProgram("busybox"), curl: await findProgram("curl") };
const title = "with only curl, sh and a kubeconfig, two commands lead from install.sh to the first answer";
const lacks = compiled === undefined
  ? `${COMPILED_VARIABLE} is not set`
  : Object.entries(programs).flatMap(([name, path]) => path ? [] : [`no ${name} here`])[0];

if (lacks) Deno.test.ignore(`${title} (skipped: ${lacks})`, () => {});
else {
  clusterTest(title, async (namespace) => {
    await using root = await CleanRoot.make(compiled as string);
    await using _releases = await serveReleases(compiled as string, root);
    await using kubeconfig = await KubeconfigFile.create(({ contexts: [context] }) => {
      context!.context["namespace"] = namespace.name;
    });
    await root.copy(kubeconfig.path, "/root/.kube/config");
    await using program = serveHttp(() => new Response("from here"));

    const began = performance.now();
    await using installing = root.run(`curl -fsSL ${RELEASES}install.sh | sh`);
    assert.equal(await installing.ended(), 0, installing.stderr);
    assert.match(installing.stdout, /^kurun \S+ is installed in \/usr\/local\/bin\. Next: kurun doctor\n$/);
    const installed = performance.now();
    await using kurun = await root.run(`exec kurun port-forward ${new URL(program.url).port}`).ready();
    const forwarding = performance.now();
    assert.match(await callFromPod(namespace, "http://kurun"), /from here/);
    const seconds = [installed, forwarding, performance.now()].map((at) => ((at - began) / 1000).toFixed(1));
    printFigure(
      `clean root: installed after ${seconds[0]} s, forwarding after ${seconds[1]} s, a new Pod had the answer after ${seconds[2]} s`,
    );
    kurun.signal("SIGINT");
    assert.equal(await kurun.ended(), 0);
    assert.deepEqual(await namespace.leftOfKurun(), []);
  });
}

/** A folder for `chroot`: busybox as its only program besides curl, and the libraries of both and of the executable. */
class CleanRoot implements AsyncDisposable {
  private constructor(readonly folder: string) {}

  static async make(executable: string): Promise<CleanRoot> {
    const root = new CleanRoot(await Deno.makeTempDir({ prefix: "kurun-root-" }));
    for (const folder of ["bin", "dev", "etc/ssl/certs", "proc", "root", "tmp", "usr/bin"]) {
      await Deno.mkdir(`${root.folder}/${folder}`, { recursive: true });
    }
    await root.copy(programs.busybox as string, "/bin/sh");
    await root.copy(programs.curl as string, "/usr/bin/curl");
    for (const program of [...Object.values(programs), executable]) {
      for (const library of await libraries(program as string)) await root.copy(library, library);
    }
    await Deno.writeTextFile(`${root.folder}/etc/passwd`, "root:x:0:0:root:/root:/bin/sh\n");
    const hosts = [RELEASES, FILES].map((url) => new URL(url).hostname);
    await Deno.writeTextFile(`${root.folder}/etc/hosts`, `127.0.0.1 localhost\n${ADDRESS} ${hosts.join(" ")}\n`);
    return root;
  }

  /** Copies a file of this machine to a path in the root. */
  async copy(from: string, to: string): Promise<void> {
    await Deno.mkdir(`${this.folder}${to.slice(0, to.lastIndexOf("/"))}`, { recursive: true });
    await Deno.copyFile(from, `${this.folder}${to}`);
  }

  run(command: string): KurunProcess {
    return KurunProcess.start([], {}, { argv: ["unshare", "--mount", "sh", "-c", ENTER, this.folder, PATH, command] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** Serves a release of the executable as GitHub does. The root trusts the server. */
async function serveReleases(executable: string, root: CleanRoot): Promise<AsyncDisposable> {
  const folder = await Deno.makeTempDir({ prefix: "kurun-releases-" });
  const target = TARGETS.find(({ triple }) => triple === Deno.build.target) as Target;
  await writeArchive(target, executable, folder);
  await Deno.copyFile(new URL("../../install.sh", import.meta.url), `${folder}/install.sh`);
  await Deno.writeTextFile(`${folder}/checksums.txt`, checksumList([await releasedFile(folder, archiveName(target))]));
  const names = [RELEASES, FILES].map((url) => new URL(url).hostname);
  const lifetime = { days: 1, now: new Date() };
  const authority = await certificateAuthority({ commonName: "clean root test", ...lifetime });
  const { certPem: cert, keyPem: key } = await authority.issue({ names, ...lifetime });
  await Deno.writeTextFile(`${root.folder}/etc/ssl/certs/ca-certificates.crt`, authority.certPem);
  const server = Deno.serve({ hostname: ADDRESS, port: 443, cert, key, onListen: () => {} }, async ({ url }) => {
    if (url.startsWith(RELEASES)) return Response.redirect(url.replace(RELEASES, FILES));
    return new Response((await Deno.open(`${folder}/${url.replace(FILES, "")}`)).readable);
  });
  return {
    [Symbol.asyncDispose]: async () => {
      await server.shutdown();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** The files that a program is linked to. A static one has none. */
async function libraries(program: string): Promise<string[]> {
  const { stdout } = await new Deno.Command("ldd", { args: [program], stderr: "null" }).output();
  return [...new TextDecoder().decode(stdout).matchAll(/(?:=> |^\s*)(\/\S+)/gm)].map(([, path]) => path as string);
}
