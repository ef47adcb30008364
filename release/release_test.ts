/** What a release consists of, checked by the programs of those who read it. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import config from "../deno.json" with { type: "json" };
import { writeArchive } from "./archive.ts";
import { homebrewFormula, krewManifest, scoopManifest, WINGET_SCHEMA, wingetManifests } from "./manifests.ts";
import { bundledPackages, type LockedPackages, sbom, shippedPackages } from "./sbom.ts";
import { type Archive, archiveName, executableName, releaseUrl, TARGETS, VERSION } from "./targets.ts";
import { testWith } from "./validators.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const ARCHIVES: readonly Archive[] = TARGETS.map((target, at) => ({ target, name: archiveName(target), sha256: `${at}`.repeat(64) }));
const LOCKED: LockedPackages = JSON.parse(await Deno.readTextFile(`${ROOT}deno.lock`)).npm;
const CREATED = new Date("2026-01-02T03:04:05.678Z");

/** Runs a test with a folder that is removed at its end. */
async function inFolder(fn: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "kurun-release-" });
  try {
    await fn(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Tests that another project's program accepts a file, and refuses it with any one of the changes. */
async function testFile(
  program: string,
  name: string,
  { file, args, text, wrong }: {
    readonly file: string;
    readonly args: (path: string) => string[];
    readonly text: string;
    readonly wrong: readonly (readonly [from: string, to: string])[];
  },
): Promise<void> {
  await testWith(program, name, async (validate) => {
    await inFolder(async (folder) => {
      const check = async (text: string) => {
        await Deno.writeTextFile(`${folder}/${file}`, text);
        return await validate(...args(`${folder}/${file}`));
      };
      const { accepted, output } = await check(text);
      assert.ok(accepted, output);
      for (const [from, to] of wrong) {
        assert.ok(text.includes(from), from);
        assert.equal((await check(text.replace(from, to))).accepted, false, `${from} -> ${to}`);
      }
    });
  });
}

async function releaseTask(
  args: string[],
  env: Record<string, string> = {},
  deno = Deno.execPath(),
): Promise<{ code: number; output: string }> {
  const { code, stdout } = await new Deno.Command(deno, { args: ["run", "-A", "release/main.ts", ...args], cwd: ROOT, env }).output();
  return { code, output: new TextDecoder().decode(stdout) };
}

Deno.test("an archive has the executable, the license and the man pages, and the same bytes each time", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/built`, "#!/bin/sh\necho it runs\n");
    for (const target of TARGETS) {
      const path = await writeArchive(target, `${folder}/built`, folder);
      const first = await Deno.readFile(path);
      await writeArchive(target, `${folder}/built`, folder);
      assert.deepEqual(await Deno.readFile(path), first, "two archives of the same files differ");
      const name = executableName(target);
      const command = path.endsWith(".zip")
        ? new Deno.Command("python3", { args: ["-m", "zipfile", "-e", path, folder] })
        : new Deno.Command("tar", { args: ["-xzf", path, "-C", folder] });
      assert.ok((await command.output()).success, path);
      assert.equal(await Deno.readTextFile(`${folder}/${name}`), await Deno.readTextFile(`${folder}/built`));
      assert.equal(await Deno.readTextFile(`${folder}/LICENSE`), await Deno.readTextFile(`${ROOT}LICENSE`));
      if (target.os === "windows") continue;
      assert.equal(((await Deno.stat(`${folder}/${name}`)).mode ?? 0) & 0o777, 0o755);
      for await (const { name: page } of Deno.readDir(`${ROOT}man`)) {
        assert.equal(await Deno.readTextFile(`${folder}/man/${page}`), await Deno.readTextFile(`${ROOT}man/${page}`));
      }
      await Deno.remove(`${folder}/man`, { recursive: true });
    }
  });
});

await testFile("validate-krew-manifest", "krew accepts its manifest, and refuses one with a wrong checksum or version", {
  file: "kurun.yaml",
  args: (path) => ["-manifest", path, "-skip-install"],
  text: krewManifest(ARCHIVES),
  wrong: [["1".repeat(64), "1".repeat(63)], [`v${VERSION}`, VERSION]],
});

await testWith("ruby", "Homebrew's formula is Ruby, and has the archive and checksum of each system and processor", async (ruby) => {
  await inFolder(async (folder) => {
    const formula = `${folder}/kurun.rb`;
    await Deno.writeTextFile(formula, homebrewFormula(ARCHIVES));
    const { accepted, output } = await ruby("-wc", formula);
    assert.ok(accepted && !output.includes("warning"), output);
    // What the formula uses of Homebrew.
    await Deno.writeTextFile(
      `${folder}/read.rb`,
      `class Formula
  %w[desc homepage version license test].each { |name| define_singleton_method(name) { |*| } }
  %w[on_macos on_linux].each { |name| define_singleton_method(name) { |&block| @os = name; block.call } }
  %w[on_arm on_intel].each { |name| define_singleton_method(name) { |&block| @cpu = name; block.call } }
  %w[url sha256].each { |name| define_singleton_method(name) { |value| puts [@os, @cpu, name, value].join(" ") } }
end
load ARGV[0]
# Installs from the folder of an unpacked archive.
class Folder < Struct.new(:name)
  def install(*files) = puts([name, "has", *files].flatten.join(" "))
  def install_symlink(links) = puts([name, "links", *links.values].join(" "))
  def /(file) = File.join(name, file)
end
class Kurun
  def bin = Folder.new("bin")
  def man1 = Folder.new("man1")
  def generate_completions_from_executable(*words) = puts(["completions from", *words].join(" "))
end
Dir.chdir(ARGV[1]) { Kurun.new.install }\n`,
    );
    const read = await ruby(`${folder}/read.rb`, formula, ROOT);
    const pages = (await Array.fromAsync(Deno.readDir(`${ROOT}man`))).map(({ name }) => `man/${name}`).sort();
    const installs = ["bin has kurun", "bin links kubectl-kurun", `man1 has ${pages.join(" ")}`, "completions from bin/kurun completion"];
    const expected = ARCHIVES.filter(({ target }) => target.os !== "windows").flatMap(({ target, name, sha256 }) => {
      const where = `on_${target.os === "darwin" ? "macos" : "linux"} on_${target.arch === "arm64" ? "arm" : "intel"}`;
      return [`${where} url ${releaseUrl(name)}`, `${where} sha256 ${sha256}`];
    });
    assert.ok(read.accepted, read.output);
    assert.deepEqual(read.output.trim().split("\n").sort(), [...expected, ...installs].sort());
    assert.match(read.output, /^on_macos on_arm .*\n.*\non_macos on_intel .*\n.*\non_linux on_arm .*\n.*\non_linux on_intel /);
  });
});

const SCOOP_SCHEMA = Deno.env.get("KURUN_SCOOP_SCHEMA");
if (SCOOP_SCHEMA) {
  await testFile("check-jsonschema", "Scoop's schema accepts its manifest, and refuses one with a wrong checksum", {
    file: "kurun.json",
    args: (path) => ["--schemafile", SCOOP_SCHEMA, path],
    text: scoopManifest(ARCHIVES) as string,
    wrong: [["4".repeat(64), "4".repeat(63)]],
  });
} else {
  Deno.test.ignore("Scoop's schema accepts its manifest (skipped: KURUN_SCOOP_SCHEMA does not name the schema)", () => {});
}

Deno.test("Scoop's manifest has the Windows archive, and there is none without it", () => {
  const windows = ARCHIVES.find(({ target }) => target.os === "windows") as Archive;
  const manifest = JSON.parse(scoopManifest(ARCHIVES) as string);
  assert.deepEqual(manifest.architecture, { "64bit": { url: releaseUrl(windows.name), hash: windows.sha256 } });
  assert.equal(manifest.autoupdate.architecture["64bit"].url.replace("$version", VERSION), releaseUrl(windows.name));
  assert.equal(scoopManifest(ARCHIVES.filter((archive) => archive !== windows)), undefined);
});

const WINGET = wingetManifests(ARCHIVES);
const WINGET_SCHEMAS = Deno.env.get("KURUN_WINGET_SCHEMAS");
for (
  const [file, type, wrong] of [
    ["kurun-dev.kurun.yaml", "version", [["en-US", "english"]]],
    ["kurun-dev.kurun.installer.yaml", "installer", [["4".repeat(64), "4".repeat(63)], ["portable", "handy"]]],
    ["kurun-dev.kurun.locale.en-US.yaml", "defaultLocale", [["Publisher:", "publisher:"]]],
  ] as const
) {
  const title = `WinGet's schema accepts its ${type} manifest`;
  if (WINGET_SCHEMAS) {
    await testFile("check-jsonschema", `${title}, and refuses a wrong one`, {
      file,
      args: (path) => ["--schemafile", `${WINGET_SCHEMAS}/manifest.${type}.${WINGET_SCHEMA}.json`, path],
      text: WINGET[file] as string,
      wrong,
    });
  } else {
    Deno.test.ignore(`${title} (skipped: KURUN_WINGET_SCHEMAS does not name the folder of the schemas)`, () => {});
  }
}

Deno.test("WinGet's manifests have the Windows archive, and there are none without it", () => {
  const windows = ARCHIVES.find(({ target }) => target.os === "windows") as Archive;
  const manifests = Object.entries(WINGET).map(([name, text]) => [name, parse(text as string)] as const);
  for (const [name, { PackageIdentifier, PackageVersion, ManifestVersion }] of manifests) {
    assert.deepEqual([PackageIdentifier, PackageVersion, ManifestVersion], ["kurun-dev.kurun", VERSION, WINGET_SCHEMA], name);
  }
  const { NestedInstallerFiles: [file], Installers: [installer] } = parse(WINGET["kurun-dev.kurun.installer.yaml"] as string);
  assert.equal(file.RelativeFilePath, executableName(windows.target));
  assert.deepEqual(installer, { Architecture: "x64", InstallerUrl: releaseUrl(windows.name), InstallerSha256: windows.sha256 });
  assert.deepEqual(Object.values(wingetManifests(ARCHIVES.filter((archive) => archive !== windows))), [undefined]);
});

Deno.test("the SBOM lists the packages in the executable, with the checksums of deno.lock", async () => {
  const packages = await shippedPackages();
  const direct = ["commander", "diff", "modern-tar", "yaml"] as const;
  assert.deepEqual(packages.map(({ name, version }) => `npm:${name}@${version}`), direct.map((name) => config.imports[name]));
  const document = JSON.parse(sbom(packages, LOCKED, "2.9.6", CREATED));
  const [kurun, deno, ...rest] = document.packages;
  assert.deepEqual([kurun.name, kurun.versionInfo, deno.name, deno.versionInfo], ["kurun", VERSION, "deno", "2.9.6"]);
  for (const { name, versionInfo, checksums: [{ checksumValue }] } of rest) {
    assert.equal(`sha512-${Uint8Array.fromHex(checksumValue).toBase64()}`, LOCKED[`${name}@${versionInfo}`]?.integrity);
  }
  assert.equal(rest.length, direct.length);
  assert.equal(document.creationInfo.created, "2026-01-02T03:04:05Z");
  assert.throws(
    () => sbom([{ name: "yaml", version: "0.0.1" }], LOCKED, "2.9.6", CREATED),
    /yaml@0\.0\.1 is in the bundle, but deno\.lock/,
  );
  assert.deepEqual(bundledPackages("// npm/@a/b/1.0.0/c.js\n// npm/d/2.0.0/lib/e.js\n// npm/d/2.0.0/f.js\nx // npm/g/1.0.0/h.js"), [
    { name: "@a/b", version: "1.0.0" },
    { name: "d", version: "2.0.0" },
  ]);
});

const SCOPED: LockedPackages = { "@scope/some_name@1.0.0": { integrity: `sha512-${new Uint8Array(64).toBase64()}` } };
const PACKAGES = [{ name: "yaml", version: "2.9.0" }, { name: "@scope/some_name", version: "1.0.0" }];
await testFile("pyspdxtools", "the SPDX project's tools accept the SBOM, and refuse one without a relationship to kurun", {
  file: "kurun.spdx.json",
  args: (path) => ["--infile", path, "--version", "SPDX-2.3"],
  text: sbom(PACKAGES, { ...LOCKED, ...SCOPED }, "2.9.6", CREATED),
  wrong: [['"DESCRIBES"', '"CONTAINS"']],
});

Deno.test("a tag that is not the version of deno.json is refused", async () => {
  assert.deepEqual(await releaseTask(["check-tag", `v${VERSION}`]), { code: 0, output: "" });
  const { code, output } = await releaseTask(["check-tag", "v99.0.0"]);
  assert.equal(code, 1);
  assert.match(output, /the tag is v99\.0\.0, but the version in deno\.json is /);
  assert.equal((await releaseTask(["chek-tag"])).code, 2);
});

const DENORT = Deno.env.get("KURUN_DENORT");
Deno.test({
  name: `the dry run makes this machine's archive, which install.sh installs${DENORT ? "" : " (skipped: KURUN_DENORT is not set)"}`,
  ignore: !DENORT,
  fn: async () => {
    const { code, output } = await releaseTask(["--dry-run"], { DENORT_BIN: DENORT as string }, Deno.env.get("KURUN_OLD_DENO"));
    assert.equal(code, 0, output);
    for (const target of TARGETS) assert.match(output, new RegExp(`^${archiveName(target)}: (?:\\d|NOT MADE: .)`, "m"));
    assert.equal((await releaseTask(["manifests"])).code, 1, "a release without all targets must be refused");
    const files = (name: string) => Deno.readFile(`${ROOT}build/release/${name.replace("latest/download/", "")}`);
    const answer = async ({ url }: Request) => new Response(await files(new URL(url).pathname.slice(1)));
    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, answer);
    await inFolder(async (folder) => {
      const env = { KURUN_BASE_URL: `http://127.0.0.1:${server.addr.port}`, KURUN_INSTALL_DIR: folder };
      const { success, stdout, stderr } = await new Deno.Command("sh", { args: [`${ROOT}build/release/install.sh`], env }).output();
      assert.ok(success, new TextDecoder().decode(stderr));
      assert.match(new TextDecoder().decode(stdout), new RegExp(`^kurun ${VERSION} is installed in `));
      const { stdout: says } = await new Deno.Command(`${folder}/kurun`, { args: ["version"] }).output();
      assert.match(new TextDecoder().decode(says), new RegExp(`^kurun ${VERSION}, Deno `));
    });
  },
});
