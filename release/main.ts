/**
 * `deno task release`: the files of a release, in build/release/. It publishes nothing: .github/workflows/release.yml does.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { checksumList, releasedFile, writeArchive } from "./archive.ts";
import { homebrewFormula, krewManifest, scoopManifest, wingetManifests } from "./manifests.ts";
import { releaseNotes, releaseObstacles } from "./release_notes.ts";
import { sbom, SBOM_NAME, shippedPackages } from "./sbom.ts";
import { type Archive, archiveName, executableName, type Target, TARGETS, VERSION } from "./targets.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const FOLDER = `${ROOT}build/release`;
const USAGE = `Usage: deno task release COMMAND

  --dry-run       all files, for each target that can be compiled on this machine
  archive         this machine's archive, after its executable has run
  manifests       checksums, SBOM and manifests for the archives in build/release, which must be there for every target
  check-tag TAG   exit code 1 unless TAG is that of the version in deno.json, and the documents are ready for its release
  notes           prints the version's section of CHANGELOG.md
`;

/** Runs one command. @returns the exit code */
async function main(args: readonly string[]): Promise<number> {
  const [command, tag] = args;
  switch (args.length === (command === "check-tag" ? 2 : 1) ? command : undefined) {
    case "--dry-run":
      return await dryRun();
    case "archive": {
      const own = TARGETS.find(({ triple }) => triple === Deno.build.target);
      if (!own) throw new ReleaseError(`there is no release for ${Deno.build.target}`);
      say(await archive(own));
      return 0;
    }
    case "manifests": {
      const archives = await findArchives();
      const missing = TARGETS.map(archiveName).filter((name) => !archives.some((archive) => archive.name === name));
      if (missing.length > 0) throw new ReleaseError(`${missing.join(", ")} must be in ${FOLDER} first`);
      await describe(archives);
      return 0;
    }
    case "check-tag": {
      const obstacles = releaseObstacles(tag as string, VERSION, await documents());
      if (obstacles.length > 0) throw new ReleaseError(obstacles.join("\n"));
      return 0;
    }
    case "notes": {
      const notes = releaseNotes((await documents())["CHANGELOG.md"] as string, VERSION);
      if (!notes) throw new ReleaseError(`CHANGELOG.md has no section for ${VERSION}`);
      say(notes);
      return 0;
    }
  }
  say(USAGE);
  return 2;
}

/** The documents that speak of releases, by their paths. */
async function documents(): Promise<Record<string, string>> {
  const paths = ["CHANGELOG.md", "README.md", "docs/install.md"];
  return Object.fromEntries(await Promise.all(paths.map(async (path) => [path, await Deno.readTextFile(ROOT + path)])));
}

/** A release cannot be made. The message says why. */
class ReleaseError extends Error {}

async function dryRun(): Promise<number> {
  await Deno.remove(FOLDER, { recursive: true }).catch(() => {});
  for (const target of TARGETS) say(await archive(target).catch((error) => notMade(target, error)));
  const archives = await findArchives();
  await describe(archives);
  say(`${archives.length} of ${TARGETS.length} targets; nothing was published`);
  return archives.length > 0 ? 0 : 1;
}

function notMade(target: Target, error: unknown): string {
  if (!(error instanceof ReleaseError)) throw error;
  return `${archiveName(target)}: NOT MADE: ${error.message}`;
}

/** Compiles, runs and packs the executable of a target. @returns what was done */
async function archive(target: Target): Promise<string> {
  const folder = `${ROOT}build/executables/${target.triple}`;
  await Deno.mkdir(folder, { recursive: true });
  await Deno.mkdir(FOLDER, { recursive: true });
  const executable = `${folder}/${executableName(target)}`;
  const own = target.triple === Deno.build.target;
  const env = Deno.env.toObject();
  // It is of this machine's platform, and Deno would use it for any target.
  if (!own) delete env["DENORT_BIN"];
  await run(Deno.execPath(), ["run", "-A", "tests/compile.ts", "--target", target.triple, "--output", executable], env).catch((error) => {
    const [, url] = /\((https:\S+\/denort-\S+)\)/.exec(error.message) ?? [];
    throw url ? new ReleaseError(`Deno's runtime for it could not be downloaded from ${url}`) : error;
  });
  let tried = "not run: it is for another platform";
  if (own) {
    const says = await run(executable, ["version"]);
    if (!says.startsWith(`kurun ${VERSION},`)) throw new ReleaseError(`the executable says ${says}`);
    tried = `says ${says}`;
  }
  const path = await writeArchive(target, executable, FOLDER);
  return `${archiveName(target)}: ${((await Deno.stat(path)).size / 1e6).toFixed(1)} MB; the executable ${tried}`;
}

async function findArchives(): Promise<Archive[]> {
  const archives: Archive[] = [];
  for (const target of TARGETS) {
    const file = await releasedFile(FOLDER, archiveName(target)).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
    if (file) archives.push({ ...file, target });
  }
  return archives;
}

/** Writes everything but the archives. */
async function describe(archives: readonly Archive[]): Promise<void> {
  await Deno.mkdir(FOLDER, { recursive: true });
  const { npm } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.lock`));
  const created = new Date((await run("git", ["log", "-1", "--format=%cI"])).trim());
  await Deno.writeTextFile(`${FOLDER}/${SBOM_NAME}`, sbom(await shippedPackages(), npm, Deno.version.deno, created));
  await Deno.copyFile(`${ROOT}install.sh`, `${FOLDER}/install.sh`);
  const files = [...archives, await releasedFile(FOLDER, SBOM_NAME), await releasedFile(FOLDER, "install.sh")];
  await Deno.writeTextFile(`${FOLDER}/checksums.txt`, checksumList(files));
  const manifests = {
    "kurun.rb": homebrewFormula(archives),
    "kurun.yaml": krewManifest(archives),
    "kurun.json": scoopManifest(archives),
    ...wingetManifests(archives),
  };
  for (const [name, text] of Object.entries(manifests)) {
    if (text !== undefined && archives.length > 0) await Deno.writeTextFile(`${FOLDER}/${name}`, text);
    else say(`${name}: NOT MADE: its archive is missing`);
  }
  const names = (await Array.fromAsync(Deno.readDir(FOLDER))).map(({ name }) => name);
  say(`${FOLDER}: ${names.sort().join(" ")}`);
}

/** Runs a program in the project's folder. @returns its output @throws ReleaseError if it fails */
async function run(program: string, args: readonly string[], env: Record<string, string> = Deno.env.toObject()): Promise<string> {
  const options: Deno.CommandOptions = { args: [...args], cwd: ROOT, clearEnv: true, env: { ...env, NO_COLOR: "1" }, stdin: "null" };
  const { success, stdout, stderr } = await new Deno.Command(program, options).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes).trim()) as [string, string];
  if (success) return out;
  // A Rust backtrace of Deno's own follows.
  const [said = ""] = err.split("\n\nStack backtrace:");
  throw new ReleaseError(`${[program, ...args].join(" ")} failed: ${said.replaceAll(/\s+/g, " ")}`);
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text.trimEnd()}\n`));
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (!(error instanceof ReleaseError)) throw error;
    say(`The release cannot be made: ${error.message}`);
    Deno.exit(1);
  }
}
