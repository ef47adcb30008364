/** install.sh in each POSIX shell, against a server on this machine. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { createHash } from "node:crypto";
import { writeArchive } from "../release/archive.ts";
import { certificateAuthority } from "./certificate_authority.ts";
import { archiveName, HOMEPAGE, type Target, TARGETS } from "../release/targets.ts";
import { testUnless } from "../release/validators.ts";

const SCRIPT = fileURLToPath(new URL("../install.sh", import.meta.url));
const WORDS = ["uname", "id", "mktemp", "mkdir", "tar", "gzip", "chmod", "mv", "rm", "cat", "env", "sleep"];
const UNIX = Deno.build.os !== "windows";
/** An ordinary user, if this one is root. */
const NOBODY = UNIX && Deno.uid() === 0 ? { uid: 65534, gid: 65534 } : undefined;

/** A temporary folder with the released files, a server of them, and a folder to install into. */
class Release implements AsyncDisposable {
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly requests: string[] = [];
  readonly #server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => this.#answer(request));

  private constructor(readonly folder: string) {}

  /** A good release of the version 0.1.0 for every target; the executable is a script that prints its version. */
  static async make(executable = "#!/bin/sh\necho 'kurun 0.1.0, Deno 2.9.6, linux/x86_64'\n"): Promise<Release> {
    const release = new Release(await Deno.makeTempDir({ prefix: "kurun-install-" }));
    await Deno.mkdir(`${release.folder}/bin`);
    await Deno.chmod(release.folder, 0o755);
    // An ordinary user may not read the checkout.
    await Deno.copyFile(SCRIPT, `${release.folder}/install.sh`);
    await Deno.chmod(`${release.folder}/install.sh`, 0o755);
    await Deno.writeTextFile(`${release.folder}/kurun`, executable, { mode: 0o755 });
    for (const target of TARGETS) {
      const path = await writeArchive(target, `${release.folder}/kurun`, release.folder);
      release.files.set(archiveName(target), await Deno.readFile(path));
    }
    release.sum();
    return release;
  }

  /** Writes the list of checksums anew. */
  sum(): void {
    const lines = [...this.files].filter(([name]) => name !== "checksums.txt")
      .map(([name, bytes]) => `${createHash("sha256").update(bytes).digest("hex")}  ${name}\n`);
    this.files.set("checksums.txt", new TextEncoder().encode(lines.join("")));
  }

  #answer(request: Request): Response {
    const { pathname } = new URL(request.url);
    this.requests.push(pathname);
    const bytes = this.files.get(pathname.replace(/^\/(?:latest\/download|download\/v0\.1\.0)\//, ""));
    return bytes ? new Response(bytes) : new Response("not here", { status: 404 });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Runs install.sh. `programs` are put first in PATH; with `only`, nothing else is there but WORDS and these. */
  async install(shell: readonly string[], { env = {}, programs = {}, only, lacks, user }: InstallOptions = {}): Promise<Result> {
    const path = await Deno.makeTempDir({ dir: this.folder, prefix: "path-" });
    await Deno.chmod(path, 0o755);
    for (const [name, text] of Object.entries(programs)) await Deno.writeTextFile(`${path}/${name}`, text, { mode: 0o755 });
    for (const name of only ? [...WORDS, ...only].filter((name) => name !== lacks) : []) {
      await Deno.symlink(found(name) as string, `${path}/${name}`);
    }
    const [program, ...args] = shell as [string, ...string[]];
    const { code, stdout, stderr } = await new Deno.Command(found(program) as string, {
      args: [...args, `${this.folder}/install.sh`],
      clearEnv: true,
      env: {
        PATH: only ? path : `${path}:${Deno.env.get("PATH")}`,
        HOME: this.folder,
        KURUN_BASE_URL: this.url,
        KURUN_INSTALL_DIR: `${this.folder}/bin`,
        ...env,
      },
      ...user,
    }).output();
    return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
  }

  /** The installed executable's text, if any. Nothing else may be there. */
  async installed(folder = `${this.folder}/bin`): Promise<string | undefined> {
    const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
    assert.deepEqual(names.filter((name) => name !== "kurun"), [], "left behind");
    return names.length > 0 ? await Deno.readTextFile(`${folder}/kurun`) : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    await Deno.remove(this.folder, { recursive: true });
  }
}

interface InstallOptions {
  readonly env?: Record<string, string>;
  readonly programs?: Record<string, string>;
  readonly only?: readonly string[];
  readonly lacks?: string;
  readonly user?: { readonly uid: number; readonly gid: number };
}

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where a program is in PATH. */
function found(name: string): string | undefined {
  return (Deno.env.get("PATH") ?? "").split(":").map((folder) => `${folder}/${name}`).find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

/** Runs a test in each shell that this machine has, but for busybox `unless` it cannot be. The name of a skipped test says why. */
function inEachShell(name: string, fn: (shell: readonly string[]) => Promise<void>, unless?: string): void {
  for (const shell of [["sh"], ["dash"], ["bash"], ["busybox", "sh"]] as const) {
    const title = `install.sh in ${shell.join(" ")}: ${name}`;
    const never = !UNIX ? "it is for Linux and macOS" : shell[0] === "busybox" ? unless : undefined;
    if (never) Deno.test.ignore(`${title} (skipped: ${never})`, () => {});
    else testUnless(found(shell[0]) ? undefined : `no ${shell[0]} here`, title, () => fn(shell));
  }
}

/** Fails unless install.sh refused, with this reason, and what was installed before is untouched. */
async function refused(release: Release, shell: readonly string[], reason: RegExp, options?: InstallOptions): Promise<void> {
  await Deno.writeTextFile(`${release.folder}/bin/kurun`, "the one before");
  const { code, stdout, stderr } = await release.install(shell, options);
  assert.match(stderr, reason);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.equal(await release.installed(), "the one before");
}

inEachShell("installs the newest release, and the next run replaces it", async (shell) => {
  await using release = await Release.make();
  await release.install(shell);
  assert.match(await release.installed() ?? "", /^#!\/bin\/sh\necho/);
  await Deno.writeTextFile(`${release.folder}/bin/kurun`, "the one before");
  const { code, stdout } = await release.install(shell);
  assert.equal(code, 0);
  const { folder } = release;
  assert.equal(stdout, `kurun 0.1.0 is installed in ${folder}/bin. Next: export PATH="${folder}/bin:$PATH" && kurun doctor\n`);
  assert.match(await release.installed() ?? "", /^#!\/bin\/sh\necho/);
  assert.equal(((await Deno.stat(`${folder}/bin/kurun`)).mode ?? 0) & 0o777, 0o755);
  assert.ok(release.requests.every((path) => path.startsWith("/latest/download/")));
  const pages = (await Array.fromAsync(Deno.readDir(`${folder}/share/man/man1`))).map(({ name }) => name).sort();
  assert.deepEqual(pages, (await Array.fromAsync(Deno.readDir(new URL("../man", import.meta.url)))).map(({ name }) => name).sort());
});

inEachShell("installs a chosen version into ~/.local/bin, which it makes, unless it is root", async (shell) => {
  await using release = await Release.make();
  if (NOBODY) await Deno.chown(release.folder, NOBODY.uid, NOBODY.gid);
  const bin = `${release.folder}/.local/bin`;
  const env = { KURUN_VERSION: "v0.1.0", KURUN_INSTALL_DIR: "", PATH: `${bin}:${Deno.env.get("PATH")}` };
  const { code, stdout, stderr } = await release.install(shell, { env, ...NOBODY && { user: NOBODY } });
  assert.deepEqual([code, stdout], [0, `kurun 0.1.0 is installed in ${bin}. Next: kurun doctor\n`], stderr);
  assert.ok(await release.installed(bin));
  assert.ok(release.requests.every((path) => path.startsWith("/download/v0.1.0/")));
});

inEachShell("refuses a cut, changed, swapped or missing archive", async (shell) => {
  await using release = await Release.make();
  const good = release.files.get("kurun-linux-amd64.tar.gz") as Uint8Array<ArrayBuffer>;
  const set = (bytes: Uint8Array<ArrayBuffer>) => TARGETS.forEach((target) => release.files.set(archiveName(target), bytes));
  set(good.slice(0, -9));
  await refused(release, shell, /does not have the checksum that the release says\nExpected [0-9a-f]{64}, got [0-9a-f]{64}\./);
  set(new Uint8Array());
  await refused(release, shell, /does not have the checksum/);
  set(good.map((byte, at) => at === good.length >> 1 ? byte ^ 1 : byte));
  await refused(release, shell, /does not have the checksum/);
  TARGETS.forEach((target) => release.files.delete(archiveName(target)));
  await refused(release, shell, /tar\.gz could not be downloaded/);
});

inEachShell("refuses a list of checksums that is missing, lacks the archive or names it twice", async (shell) => {
  await using release = await Release.make();
  const list = new TextDecoder().decode(release.files.get("checksums.txt"));
  const write = (text: string) => release.files.set("checksums.txt", new TextEncoder().encode(text));
  write(list.replaceAll("kurun-", "other-"));
  await refused(release, shell, /checksums\.txt has no single SHA-256 for kurun-/);
  write(list + list);
  await refused(release, shell, /has no single SHA-256/);
  write(list.replaceAll(/^[0-9a-f]{64}/gm, ""));
  await refused(release, shell, /has no single SHA-256/);
  release.files.delete("checksums.txt");
  await refused(release, shell, /checksums\.txt could not be downloaded/);
});

inEachShell("refuses an executable that does not run here or has another version, and an archive without one", async (shell) => {
  await using broken = await Release.make("#!/bin/sh\necho 'libc.so.6: not found' >&2\nexit 127\n");
  await refused(broken, shell, /does not run on this machine: libc\.so\.6: not found\nOn Linux it needs glibc/);
  await using other = await Release.make("#!/bin/sh\necho 'kurun 0.0.9, Deno 2.9.6'\n");
  await refused(other, shell, /the archive of version 0\.1\.0 contains kurun 0\.0\.9/, { env: { KURUN_VERSION: "0.1.0" } });
  await using empty = await Release.make();
  const { stdout } = await new Deno.Command("tar", { args: ["-czf", "-", "-C", empty.folder, archiveName(TARGETS[0] as Target)] }).output();
  TARGETS.forEach((target) => empty.files.set(archiveName(target), new Uint8Array(stdout)));
  empty.sum();
  await refused(empty, shell, /could not be unpacked/);
});

inEachShell("asks for the archive of this platform, and refuses the platforms that have none", async (shell) => {
  const uname = (os: string, machine: string) => `#!/bin/sh\n[ "$1" = -m ] && echo ${machine} || echo ${os}\n`;
  const sysctl = (translated: number) => `#!/bin/sh\necho ${translated}\n`;
  for (
    const [os, machine, archive, translated] of [
      ["Linux", "x86_64", "kurun-linux-amd64.tar.gz"],
      ["Linux", "aarch64", "kurun-linux-arm64.tar.gz"],
      ["Darwin", "x86_64", "kurun-darwin-amd64.tar.gz"],
      ["Darwin", "arm64", "kurun-darwin-arm64.tar.gz"],
      ["Darwin", "x86_64", "kurun-darwin-arm64.tar.gz", 1],
    ] as const
  ) {
    await using release = await Release.make();
    const { code, stderr } = await release.install(shell, { programs: { uname: uname(os, machine), sysctl: sysctl(translated ?? 0) } });
    assert.equal(code, 0, stderr);
    assert.ok(release.requests.includes(`/latest/download/${archive}`), release.requests.join());
    assert.ok(TARGETS.some((target) => archiveName(target) === archive));
  }
  await using release = await Release.make();
  await refused(release, shell, /this is Windows\nInstall it with Scoop/, { programs: { uname: uname("MINGW64_NT-10.0", "x86_64") } });
  await refused(release, shell, /no executable for FreeBSD/, { programs: { uname: uname("FreeBSD", "amd64") } });
  await refused(release, shell, /no executable for linux on riscv64/, { programs: { uname: uname("Linux", "riscv64") } });
  assert.deepEqual(release.requests, []);
}, "it uses its own uname");

inEachShell("refuses a folder that it may not write to, a server without TLS and a version that is none", async (shell) => {
  await using release = await Release.make();
  const { folder } = release;
  await Deno.writeTextFile(`${folder}/file`, "");
  await refused(release, shell, /cannot be created\nSet KURUN_INSTALL_DIR/, { env: { KURUN_INSTALL_DIR: `${folder}/file/bin` } });
  await refused(release, shell, /must start with https:\/\//, { env: { KURUN_BASE_URL: "http://mirror.test/kurun" } });
  await refused(release, shell, /must start with https:\/\//, { env: { KURUN_BASE_URL: "http://localhost.mirror.test" } });
  await refused(release, shell, /KURUN_VERSION must be a version/, { env: { KURUN_VERSION: "../../evil" } });
  await Deno.chmod(`${folder}/bin`, 0o555);
  await refused(release, shell, /cannot be written to\nSet KURUN_INSTALL_DIR/, NOBODY && { user: NOBODY });
  await Deno.chmod(`${folder}/bin`, 0o755);
  assert.deepEqual(release.requests, []);
});

for (const tool of ["sha256sum", "shasum", "openssl"]) {
  for (const client of ["curl", "wget"]) {
    const missing = [tool, client].filter((name) => !found(name));
    testUnless(
      missing.length > 0 ? `no ${missing.join(", ")} here` : undefined,
      `install.sh verifies with ${tool} what ${client} downloaded`,
      async () => {
        await using release = await Release.make();
        // shasum is a Perl script.
        const only = [tool, client, ...tool === "shasum" ? ["perl"] : []];
        await refused(release, ["sh"], /neither curl nor wget/, { only: [tool] });
        await refused(release, ["sh"], /none of sha256sum, shasum and openssl/, { only: [client] });
        for (const lacks of ["tar", "gzip"]) await refused(release, ["sh"], new RegExp(`${lacks} was not found in PATH`), { only, lacks });
        const { code, stderr } = await release.install(["sh"], { only });
        assert.equal(code, 0, stderr);
        assert.match(await release.installed() ?? "", /kurun 0\.1\.0/);
        release.files.set("checksums.txt", new TextEncoder().encode(TARGETS.map((t) => `${"0".repeat(64)}  ${archiveName(t)}\n`).join("")));
        await refused(release, ["sh"], /does not have the checksum/, { only });
      },
    );
  }
}

const CURL = found("curl");
testUnless(
  CURL ? undefined : "no curl here",
  "install.sh is not redirected from https:// to http://",
  async () => {
    await using release = await Release.make();
    const lifetime = { days: 1, now: new Date() };
    const authority = await certificateAuthority({ commonName: "install.sh test", ...lifetime });
    const { certPem: cert, keyPem: key } = await authority.issue({ names: ["127.0.0.1"], ...lifetime });
    await Deno.writeTextFile(`${release.folder}/ca.pem`, authority.certPem);
    let to = "";
    const answer = ({ url }: Request) => {
      const { pathname } = new URL(url);
      return to ? Response.redirect(`${to}${pathname}`) : new Response(release.files.get(pathname.replace("/latest/download/", "")));
    };
    await using secure = Deno.serve({ hostname: "127.0.0.1", port: 0, cert, key, onListen: () => {} }, answer);
    const env = { KURUN_BASE_URL: `https://127.0.0.1:${secure.addr.port}`, CURL_CA_BUNDLE: `${release.folder}/ca.pem` };
    const { code, stderr } = await release.install(["sh"], { env });
    assert.equal(code, 0, stderr);
    to = release.url;
    await refused(release, ["sh"], /checksums\.txt could not be downloaded/, { env });
    assert.deepEqual(release.requests, []);
    to = "";
    await refused(release, ["sh"], /checksums\.txt could not be downloaded/, { env: { ...env, CURL_CA_BUNDLE: "/dev/null" } });
  },
);

Deno.test({
  name: "install.sh leaves nothing behind when it is interrupted, and does nothing when it was cut on its way",
  ignore: !UNIX,
  fn: async () => {
    await using release = await Release.make("#!/bin/sh\nkill -TERM $PPID\nsleep 1\n");
    await Deno.writeTextFile(`${release.folder}/bin/kurun`, "the one before");
    assert.equal((await release.install(["sh"])).code, 143);
    assert.equal(await release.installed(), "the one before");

    const text = await Deno.readTextFile(SCRIPT);
    for (let end = 0; end < text.trimEnd().length; end += 97) {
      const shell = new Deno.Command("sh", { env: { KURUN_BASE_URL: release.url }, stdin: "piped", stdout: "null", stderr: "null" })
        .spawn();
      const writer = shell.stdin.getWriter();
      await writer.write(new TextEncoder().encode(text.slice(0, end)));
      await writer.close();
      await shell.status;
    }
    assert.equal(release.requests.length, 2);
  },
});

Deno.test("install.sh downloads from where releases are published", async () => {
  assert.ok((await Deno.readTextFile(SCRIPT)).includes(`:-${HOMEPAGE}/releases}`));
});
