import assert from "node:assert/strict";
import { join } from "node:path";
import { UserError } from "../command/errors.ts";
import { defaultCertificateFolder, placeCertificate } from "./certificate_files.ts";
import { withGo } from "../../tests/with_go.ts";

const PAIR = { certPem: "this session's certificate\n", keyPem: "this session's key\n" };
const OTHER = { certPem: "another session's certificate\n", keyPem: "another session's key\n" };

const { writeTextFileSync: write, readTextFileSync: read, mkdirSync: makeFolder, symlinkSync: link, removeSync: remove } = Deno;
const { statSync: stat, lstatSync: look, readDirSync: list } = Deno;

/** Everything below a folder: types, modes, contents, links' targets and times. */
function tree(folder: string): string[] {
  return [...list(folder)].sort((a, b) => a.name < b.name ? -1 : 1).flatMap(({ name }) => {
    const path = join(folder, name);
    const { isSymlink, isDirectory, mode, mtime } = look(path);
    const content = isSymlink ? `-> ${Deno.readLinkSync(path)}` : isDirectory ? "/" : `${read(path)}${mtime?.getTime()}`;
    return [`${name} ${mode?.toString(8)} ${content}`, ...isDirectory ? tree(path).map((line) => `${name}/${line}`) : []];
  });
}

/** What a folder may contain before kurun starts. */
const BEFORE: Readonly<Record<string, (folder: string) => void>> = {
  "nothing": (folder) => remove(folder),
  "an empty folder": () => {},
  "both files": (folder) => {
    write(join(folder, "tls.crt"), "old certificate", { mode: 0o644 });
    write(join(folder, "tls.key"), "old key", { mode: 0o440 });
    write(join(folder, "ca.crt"), "old CA", { mode: 0o644 });
  },
  "links, as in a mounted Secret": (folder) => {
    makeFolder(join(folder, "..data"));
    for (const name of ["tls.crt", "tls.key"]) {
      write(join(folder, "..data", name), `mounted ${name}`);
      link(join("..data", name), join(folder, name));
    }
  },
  "a certificate alone": (folder) => write(join(folder, "tls.crt"), "old certificate"),
};

/** Runs a test in a temporary folder, with the certificates' folder two levels below it. */
async function inFolder(test: (top: string, folder: string) => Promise<void>): Promise<void> {
  const top = await Deno.makeTempDir();
  const folder = join(top, "k8s-webhook-server", "serving-certs");
  makeFolder(folder, { recursive: true });
  try {
    await test(top, folder);
  } finally {
    await Deno.remove(top, { recursive: true });
  }
}

/** Checks that both files are a session's, and nobody else's business. */
function checkPlaced(folder: string, { certPem, keyPem }: typeof PAIR): void {
  for (const [name, pem] of [["tls.crt", certPem], ["tls.key", keyPem]] as const) {
    assert.equal(read(join(folder, name)), pem);
    const { mode, isFile } = look(join(folder, name));
    assert.ok(isFile);
    if (Deno.build.os !== "windows") assert.equal(mode! & 0o777, 0o600);
  }
}

for (const [what, prepare] of Object.entries(BEFORE)) {
  Deno.test(`certificates replace ${what}, which is put back exactly`, () =>
    inFolder(async (top, folder) => {
      prepare(folder);
      const before = tree(top);
      const placed = await placeCertificate(folder, PAIR);
      checkPlaced(folder, PAIR);
      if (what === "nothing" && Deno.build.os !== "windows") assert.equal(stat(folder).mode! & 0o777, 0o700);
      if (what.startsWith("links")) assert.equal(read(join(folder, "..data", "tls.key")), "mounted tls.key");
      await placed.restore();
      await placed.restore();
      assert.deepEqual(tree(top), before);
    }));

  if (what === "an empty folder" || what === "a certificate alone") continue;
  Deno.test(`kurun killed at any moment of replacing ${what} loses nothing`, async () => {
    let survived = false;
    for (let step = 1; !survived; step++) {
      await inFolder(async (top, folder) => {
        prepare(folder);
        const before = tree(top);
        survived = await placeAndDie(folder, `SIGKILL ${step}`) === "placed and put back\n";
        await (await placeCertificate(folder, OTHER)).restore();
        const ghosts = ["k8s-webhook-server", "k8s-webhook-server/serving-certs"];
        // Empty folders that were made before anything was noted stay.
        const after = tree(top).filter((line) => what !== "nothing" || !ghosts.some((ghost) => line.startsWith(`${ghost} `)));
        assert.deepEqual(after, before.filter((line) => after.includes(line) || what !== "nothing"), `after step ${step}`);
        assert.ok(step < 30);
      });
    }
  });
}

/** Places certificates in another process, which dies at a given change of the file system, or exits. @returns what it printed */
async function placeAndDie(folder: string, how: string): Promise<string> {
  const module = new URL("./certificate_files.ts", import.meta.url).href;
  const program = `
    import { placeCertificate } from ${JSON.stringify(module)};
    const [how, step] = ${JSON.stringify(how)}.split(" ");
    let left = Number(step);
    const die = () => --left === 0 && Deno.kill(Deno.pid, "SIGKILL");
    for (const name of ["mkdirSync", "linkSync", "renameSync", "writeTextFileSync", "removeSync"]) {
      const real = Deno[name];
      Deno[name] = (...args) => (die(), real(...args));
    }
    const placed = await placeCertificate(${JSON.stringify(folder)}, ${JSON.stringify(PAIR)});
    if (how === "exit") {
      console.log(Deno.readTextFileSync(${JSON.stringify(folder)} + "/tls.key"));
      Deno.exit(130);
    }
    await placed.restore();
    console.log("placed and put back");`;
  const args = ["run", "-A", "-q", "--ext=js", "-"];
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "piped", stderr: "inherit" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(program));
  await writer.close();
  return new TextDecoder().decode((await child.output()).stdout);
}

Deno.test("a second Ctrl+C, which ends kurun without waiting, puts the files back too", () =>
  inFolder(async (top, folder) => {
    BEFORE["both files"]!(folder);
    const before = tree(top);
    assert.equal(await placeAndDie(folder, "exit"), `${PAIR.keyPem}\n`);
    assert.deepEqual(tree(top), before);
  }));

Deno.test({
  name: "two kuruns at once do not share a folder, and the second one may follow the first",
  // The refused lock ends with the first kurun's.
  sanitizeOps: false,
  fn: () =>
    inFolder(async (_top, folder) => {
      const first = await placeCertificate(folder, PAIR);
      await assert.rejects(placeCertificate(folder, OTHER), (error) =>
        error instanceof UserError && /^another kurun uses /.test(error.message));
      checkPlaced(folder, PAIR);
      await first.restore();
      const second = await placeCertificate(folder, OTHER);
      checkPlaced(folder, OTHER);
      await second.restore();
      assert.deepEqual(tree(folder), []);
    }),
});

Deno.test("a file that somebody else wrote meanwhile stays", () =>
  inFolder(async (_top, folder) => {
    BEFORE["both files"]!(folder);
    const placed = await placeCertificate(folder, PAIR);
    write(join(folder, "tls.crt"), "from make certs");
    await placed.restore();
    assert.equal(read(join(folder, "tls.crt")), "from make certs");
    assert.equal(read(join(folder, "tls.key")), "old key");
    assert.deepEqual([...list(folder)].map(({ name }) => name).sort(), ["ca.crt", "tls.crt", "tls.key"]);
  }));

Deno.test("a folder that cannot be used is refused in words, and nothing of it changes", () =>
  inFolder(async (top, folder) => {
    makeFolder(join(folder, "tls.key"));
    write(join(folder, "tls.crt"), "old certificate");
    write(join(top, "file"), "");
    const before = tree(top);
    await assert.rejects(placeCertificate(folder, PAIR), { message: `${folder} cannot be used for certificates: tls.key is a folder` });
    await assert.rejects(
      placeCertificate(join(top, "file", "certs"), PAIR),
      /file\/certs cannot be used for certificates: Not a directory/,
    );
    assert.deepEqual(tree(top), before);
  }));

Deno.test("a record of another folder's maker removes nothing outside of it, and a link in place of kurun's folder is refused", () =>
  inFolder(async (top, folder) => {
    makeFolder(join(top, "precious"));
    makeFolder(join(folder, ".kurun"));
    write(join(folder, ".kurun", "record.json"), JSON.stringify({ made: [join(top, "precious")], placed: [] }));
    await (await placeCertificate(folder, PAIR)).restore();
    assert.ok(stat(join(top, "precious")).isDirectory);
    link(join(top, "precious"), join(folder, ".kurun"));
    await assert.rejects(placeCertificate(folder, PAIR), /\.kurun is not a folder of yours/);
    assert.deepEqual([...list(join(top, "precious"))], []);
  }));

Deno.test({
  ...withGo("the default folder is where Go's os.TempDir leads controller-runtime"),
  fn: async () => {
    const folder = (os: string, variables: Record<string, string>) => defaultCertificateFolder((name) => variables[name], os);
    assert.equal(folder("windows", { TMP: "", TEMP: "/temp", USERPROFILE: "/me" }), "/temp/k8s-webhook-server/serving-certs");
    const source = await Deno.makeTempFile({ suffix: ".go" });
    try {
      await Deno.writeTextFile(
        source,
        `package main
import ("fmt"; "os"; "path/filepath")
func main() {
  for _, value := range os.Args[1:] {
    if value == "unset" { os.Unsetenv("TMPDIR") } else { os.Setenv("TMPDIR", value) }
    fmt.Println(filepath.Join(os.TempDir(), "k8s-webhook-server", "serving-certs"))
  }
}`,
      );
      const values = ["unset", "", "/var/folders/x1/T/", "relative/dir", "/tmp/../var//tmp"];
      const { stdout } = await new Deno.Command("go", { args: ["run", source, ...values] }).output();
      assert.deepEqual(
        new TextDecoder().decode(stdout).trim().split("\n"),
        values.map((value) => folder("linux", value === "unset" ? {} : { TMPDIR: value })),
      );
    } finally {
      await Deno.remove(source);
    }
  },
});
