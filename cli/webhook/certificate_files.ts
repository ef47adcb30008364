/**
 * The session's certificate in the folder where the program looks for it, and what was there before.
 *
 * While kurun uses a folder, `.kurun` in it has the files that were there, and a record that is locked by kurun's process. kurun puts
 * everything back when it ends; what a killed kurun could not put back, the next one does first.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { dirname, join, resolve, sep } from "node:path";
import type { CertificatePair } from "../../k8s/certificate/certificate.ts";
import { ExitCode, UserError } from "../command/errors.ts";
import { pause } from "../command/timers.ts";

/** Certificate files that are in place. */
export interface PlacedCertificate {
  /** Puts back what was there. A file that somebody else wrote meanwhile stays. @throws UserError if that fails; the next start tries again */
  restore(): Promise<void>;
}

/** The names by which programs of controller-runtime, and most others, look for them. */
const FILES = ["tls.crt", "tls.key"] as const;
type FileName = (typeof FILES)[number];
/** Has what was there, the record, and new files before they are complete. */
const KEPT = ".kurun";
const RECORD = "record.json";
/** Attempts to lock a record that another kurun has just removed. */
const MAX_TRIES = 10;
/** A lock that takes longer is held by another kurun: Deno 2.6 cannot ask without waiting. */
const LOCK_MS = 300;

/** What kurun did to a folder. Written before it is done, so that it can be undone whenever kurun is killed. */
interface FolderRecord {
  /** The folders that kurun created, innermost first. */
  readonly made: readonly string[];
  /** SHA-256 of the files that kurun places: other content is somebody else's. */
  readonly placed: readonly string[];
}

/**
 * The folder where controller-runtime looks for certificates unless it is told another one: below os.TempDir of Go.
 * @param env an environment variable
 */
export function defaultCertificateFolder(env: (name: string) => string | undefined, os: string = Deno.build.os): string {
  const temporary = os === "windows"
    ? env("TMP") || env("TEMP") || env("USERPROFILE") || env("SystemRoot") || "C:\\Windows"
    : env("TMPDIR") || "/tmp";
  return join(temporary, "k8s-webhook-server", "serving-certs");
}

/**
 * Puts a certificate and its key into a folder, as tls.crt and tls.key. What was there is kept, and is put back at the end, also by a second
 * Ctrl+C.
 * @throws UserError if the folder cannot be used, or another kurun uses it
 */
export async function placeCertificate(folder: string, { certPem, keyPem }: CertificatePair): Promise<PlacedCertificate> {
  const at = resolve(folder);
  try {
    const [file, made] = await ownFolder(at);
    const record = { made, placed: [certPem, keyPem].map(digest) };
    let isOver = false;
    const restoreNow = () => {
      if (isOver) return;
      undo(at, record, file);
      isOver = true;
      globalThis.removeEventListener("unload", restoreNow);
    };
    try {
      writeRecord(file, record);
      place(at, { "tls.crt": certPem, "tls.key": keyPem });
    } catch (error) {
      restoreNow();
      throw error;
    }
    globalThis.addEventListener("unload", restoreNow);
    return {
      restore: async () => {
        try {
          await restoreNow();
        } catch (cause) {
          throw failure(`the files that were in ${folder} could not be put back (they are in ${join(folder, KEPT)})`, cause);
        }
      },
    };
  } catch (error) {
    throw error instanceof UserError ? error : failure(`${folder} cannot be used for certificates`, error);
  }
}

/** Makes the folder and locks its record, after undoing what a killed kurun left. @returns the record's file, and the folders made */
async function ownFolder(at: string): Promise<readonly [file: Deno.FsFile, made: readonly string[]]> {
  for (let tries = 1; tries < MAX_TRIES; tries++) {
    const made = makeFolders(at);
    if (isOthers(at)) throw inWords(`${at} belongs to another user, who could read or replace the program's key`);
    makeFolders(join(at, KEPT));
    if (isOthers(join(at, KEPT)) || !look(join(at, KEPT))?.isDirectory) throw inWords(`${join(at, KEPT)} is not a folder of yours`);
    const file = await lockRecord(at);
    const left = file && readRecord(at, file);
    if (file && !left) return [file, made];
    if (file && left) undo(at, left, file);
  }
  throw new Error("other processes keep changing it");
}

/** Locks the folder's record, which the system unlocks when kurun ends, however it ends. @returns undefined if it was removed meanwhile */
async function lockRecord(at: string): Promise<Deno.FsFile | undefined> {
  const path = join(at, KEPT, RECORD);
  const file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  if (!file) return undefined;
  const done = new AbortController();
  const locked = await Promise.race([file.lock(true).then(() => true), pause(LOCK_MS, done.signal).then(() => false)]);
  done.abort();
  const isSame = look(path)?.ino === file.statSync().ino;
  if (locked && isSame) return file;
  file.close();
  if (!locked) throw inWords(`another kurun uses ${at}`);
  return undefined;
}

function place(at: string, content: Readonly<{ [name in FileName]: string }>): void {
  const fresh = (name: FileName) => join(at, KEPT, `new-${name}`);
  for (const name of FILES) {
    const [path, kept] = [join(at, name), join(at, KEPT, name)];
    const found = look(path);
    if (found?.isDirectory) throw new Error(`${name} is a folder`);
    Deno.writeTextFileSync(fresh(name), content[name], { mode: 0o600, createNew: true });
    if (found) keep(path, found, kept);
  }
  // One right after the other: a program that reads them in between logs that they do not fit.
  for (const name of FILES) Deno.renameSync(fresh(name), join(at, name));
}

/**
 * Keeps what is at a path: a symbolic link as it is, and not what it leads to. A file gets a second name, so that it is replaced in one step;
 * programs that watch it see that (controller-runtime's certwatcher ignores that it gets another name) and read the new one at once.
 */
function keep(path: string, { isFile }: Deno.FileInfo, kept: string): void {
  try {
    if (isFile) return Deno.linkSync(path, kept);
  } catch {
    // The file system has no such links.
  }
  Deno.renameSync(path, kept);
}

/** Undoes as much as was done. */
function undo(at: string, { made, placed }: FolderRecord, file: Deno.FsFile): void {
  for (const name of FILES) {
    const [path, kept] = [join(at, name), join(at, KEPT, name)];
    const found = look(path);
    const isOurs = found?.isFile && placed.includes(digest(Deno.readTextFileSync(path)));
    if (look(kept)) {
      if (!found || isOurs) Deno.renameSync(kept, path);
      else Deno.removeSync(kept);
    } else if (isOurs) Deno.removeSync(path);
  }
  for (const name of [...FILES.map((name) => `new-${name}`), RECORD]) if (look(join(at, KEPT, name))) Deno.removeSync(join(at, KEPT, name));
  file.close();
  for (const path of [join(at, KEPT), ...made]) {
    try {
      Deno.removeSync(path);
    } catch {
      // It is not empty, or gone.
    }
  }
}

/** Makes a folder and those above it that are missing. @returns them, innermost first */
function makeFolders(path: string): string[] {
  if (look(path)) return [];
  const above = dirname(path) === path ? [] : makeFolders(dirname(path));
  try {
    Deno.mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    return above;
  }
  return [path, ...above];
}

/** Whether a folder is that of another user. Those of root are anybody's, and root may use everybody's. */
function isOthers(path: string): boolean {
  const [mine, owner] = [Deno.uid(), Deno.statSync(path).uid];
  return mine !== null && owner !== null && mine !== 0 && owner !== 0 && owner !== mine;
}

function writeRecord(file: Deno.FsFile, record: FolderRecord): void {
  file.truncateSync();
  file.writeSync(new TextEncoder().encode(JSON.stringify(record)));
  file.syncSync();
}

/** What a killed kurun did; undefined if it had not begun. */
function readRecord(at: string, file: Deno.FsFile): FolderRecord | undefined {
  const bytes = new Uint8Array(file.statSync().size);
  file.readSync(bytes);
  try {
    const { made, placed }: FolderRecord = JSON.parse(new TextDecoder().decode(bytes));
    return { made: made.filter((path) => `${at}${sep}`.startsWith(`${path}${sep}`)), placed: [...placed] };
  } catch {
    return undefined;
  }
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** What is at a path, without following a link there. */
function look(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function inWords(sentence: string): UserError {
  return new UserError(`${sentence}. Use --cert-dir DIR, and the same folder for the program`, ExitCode.failed);
}

function failure(sentence: string, cause: unknown): UserError {
  return new UserError(`${sentence}: ${(cause as Error).message}`, ExitCode.failed, { cause });
}
