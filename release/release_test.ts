/** What a release consists of, checked by the programs of those who read it. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import config from "../deno.json" with { type: "json" };
import { writeArchive } from "./archive.ts";
import { homebrewFormula, krewManifest, scoopManifest, WINGET_SCHEMA, wingetManifests } from "./manifests.ts";
import { releaseNotes, releaseObstacles } from "./release_notes.ts";
import { bundledPackages, type LockedPackages, sbom, shippedPackages } from "./sbom.ts";
import { type Archive, archiveName, executableName, releaseUrl, TARGETS, VERSION } from "./targets.ts";
import { testUnless, testWith, TOOLS } from "./validators.ts";

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
      if (Deno.build.os !== "windows") assert.equal(((await Deno.stat(`${folder}/${name}`)).mode ?? 0) & 0o777, 0o755);
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

/** Tests a manifest with a JSON schema, which .ci/release_tools fetches. */
async function testSchema(schema: string, name: string, test: Omit<Parameters<typeof testFile>[2], "args">): Promise<void> {
  const there = await Deno.stat(`${TOOLS}${schema}`).then(() => true, () => false);
  if (!there) testUnless(`no build/tools/${schema} here; KURUN_REQUIRE_TOOLS=1 .ci/release_tools fetches it`, name, () => {});
  else await testFile("check-jsonschema", name, { ...test, args: (path) => ["--schemafile", `${TOOLS}${schema}`, path] });
}

await testSchema("scoop.json", "Scoop's schema accepts its manifest, and refuses one with a wrong checksum", {
  file: "kurun.json",
  text: scoopManifest(ARCHIVES) as string,
  wrong: [["4".repeat(64), "4".repeat(63)]],
});

Deno.test("Scoop's manifest has the Windows archive, and there is none without it", () => {
  const windows = ARCHIVES.find(({ target }) => target.os === "windows") as Archive;
  const manifest = JSON.parse(scoopManifest(ARCHIVES) as string);
  assert.deepEqual(manifest.architecture, { "64bit": { url: releaseUrl(windows.name), hash: windows.sha256 } });
  assert.equal(manifest.autoupdate.architecture["64bit"].url.replace("$version", VERSION), releaseUrl(windows.name));
  assert.equal(scoopManifest(ARCHIVES.filter((archive) => archive !== windows)), undefined);
});

const WINGET = wingetManifests(ARCHIVES);
for (
  const [file, type, wrong] of [
    ["kurun-dev.kurun.yaml", "version", [["en-US", "english"]]],
    ["kurun-dev.kurun.installer.yaml", "installer", [["4".repeat(64), "4".repeat(63)], ["portable", "handy"]]],
    ["kurun-dev.kurun.locale.en-US.yaml", "defaultLocale", [["Publisher:", "publisher:"]]],
  ] as const
) {
  const schema = `winget/manifest.${type}.${WINGET_SCHEMA}.json`;
  await testSchema(schema, `WinGet's schema accepts its ${type} manifest, and refuses a wrong one`, {
    file,
    text: WINGET[file] as string,
    wrong,
  });
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

Deno.test("a tag is refused unless it is the version of deno.json, CHANGELOG.md has it, and no document says that nothing is published", async () => {
  const ready = {
    "CHANGELOG.md": "# Changelog\n\n## 1.2.0 - 2026-12-01\n\n- New\n\n## 1.1.0 - 2026-11-01\n\n- Old\n",
    "README.md": "# kurun\n",
  };
  assert.deepEqual(releaseObstacles("v1.2.0", "1.2.0", ready), []);
  assert.deepEqual(releaseObstacles("v1.2", "1.2.0", ready), ["the tag is v1.2, but the version in deno.json is 1.2.0"]);
  assert.deepEqual(releaseObstacles("v1.2.1", "1.2.1", ready), ['CHANGELOG.md has no section "## 1.2.1 - DATE"']);
  assert.deepEqual(releaseObstacles("v1.2.0", "1.2.0", { ...ready, "README.md": "Nothing\nis published yet: wait." }), [
    'README.md still says "Nothing is published yet"',
  ]);
  assert.equal(releaseNotes(ready["CHANGELOG.md"], "1.2.0"), "- New\n");
  assert.equal(releaseNotes(ready["CHANGELOG.md"], "1.1.0"), "- Old\n");
  assert.equal(releaseNotes("## 1.2.0-rc.1\n\n- New\n\n## 1.2.0\n\n## 1.1.0\n\n- Old\n", "1.2.0"), undefined, "an empty section");

  const files = ["CHANGELOG.md", "README.md", "docs/install.md"];
  const documents = Object.fromEntries(await Promise.all(files.map(async (path) => [path, await Deno.readTextFile(ROOT + path)])));
  for (const tag of [`v${VERSION}`, "v99.0.0"]) {
    const { code, output } = await releaseTask(["check-tag", tag]);
    const obstacles = releaseObstacles(tag, VERSION, documents);
    assert.deepEqual([code, output], obstacles.length > 0 ? [1, `The release cannot be made: ${obstacles.join("\n")}\n`] : [0, ""]);
  }
  const notes = releaseNotes(documents["CHANGELOG.md"] as string, VERSION);
  const printed = await releaseTask(["notes"]);
  assert.deepEqual(
    printed,
    notes ? { code: 0, output: notes } : { code: 1, output: `The release cannot be made: CHANGELOG.md has no section for ${VERSION}\n` },
  );
  assert.equal((await releaseTask(["chek-tag"])).code, 2);
});

Deno.test({
  name: "release_tools leaves out what cannot be installed, and fails for it only with KURUN_REQUIRE_TOOLS=1",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (folder) => {
      await Deno.mkdir(`${folder}/.ci`);
      await Deno.copyFile(`${ROOT}.ci/release_tools`, `${folder}/.ci/release_tools`);
      const program = (name: string, code: number) => Deno.writeTextFile(`${folder}/${name}`, `#!/bin/sh\nexit ${code}\n`, { mode: 0o755 });
      const tools = async (required: string) => {
        const env = { PATH: `${folder}:${Deno.env.get("PATH")}`, KURUN_REQUIRE_TOOLS: required };
        const { code, stdout } = await new Deno.Command("bash", { args: [`${folder}/.ci/release_tools`], env, stderr: "null" }).output();
        return { code, output: new TextDecoder().decode(stdout) };
      };
      for (const name of ["ruby", "busybox", "dash", "shellcheck", "mandoc", "groff", "chromium", "go", "curl"]) await program(name, 0);
      await program("python3", 1);
      const said = "not installed: spdx-tools, check-jsonschema\n";
      assert.deepEqual(await tools(""), { code: 0, output: said });
      assert.deepEqual(await tools("1"), { code: 1, output: said });
      await Deno.mkdir(`${folder}/build/tools/python/bin`, { recursive: true });
      await program("build/tools/python/bin/check-jsonschema", 0);
      assert.deepEqual(await tools("1"), { code: 0, output: "" });
      await program("curl", 22);
      assert.match((await tools("1")).output, /^not installed: Scoop's schema\nnot installed: WinGet's schema of the version manifest\n/);
      assert.deepEqual(await tools(""), { code: 0, output: "" });
    }),
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
