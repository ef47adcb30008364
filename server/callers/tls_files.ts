import type { TlsTerminator } from "./tls_terminator.ts";

/** How often the files are read again. kubelet itself brings a changed Secret only after up to a minute. */
const POLL_MS = 2_000;

/** What {@link serveTlsFiles} needs. */
export interface TlsFilesOptions {
  /** The folder with `tls.crt` and `tls.key`, as kubelet mounts a Secret. */
  readonly dir: string;
  readonly terminator: TlsTerminator;
  readonly log: (line: string) => void;
  /** @default {2_000} */
  readonly pollMs?: number;
}

/**
 * Serves the certificate of a mounted Secret, and each that comes in its place. A new one that cannot be used leaves the old one served.
 * @returns once the first is served, with what ends it @throws what the file system or TLS says about the first
 */
export async function serveTlsFiles({ dir, terminator, log, pollMs = POLL_MS }: TlsFilesOptions): Promise<{ stop(): void }> {
  let seen = await readPair(dir);
  terminator.use(seen.cert, seen.key);
  const look = async () => {
    try {
      const pair = await readPair(dir);
      if (pair.cert === seen.cert && pair.key === seen.key) return;
      seen = pair;
      terminator.use(pair.cert, pair.key);
      log("the certificate has changed and is served from now on");
    } catch (error) {
      log(`the changed certificate cannot be used, the one before stays: ${(error as Error).message}`);
    }
  };
  let timer: ReturnType<typeof setTimeout>;
  const again = () => timer = setTimeout(() => look().finally(() => stopped || again()), pollMs);
  let stopped = false;
  again();
  return {
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** Both files of one moment: kubelet changes all of a Secret at once, by turning the link `..data` to another folder. */
async function readPair(dir: string): Promise<{ cert: string; key: string }> {
  const folder = await Deno.realPath(`${dir}/..data`).catch(() => dir);
  const [cert, key] = await Promise.all([Deno.readTextFile(`${folder}/tls.crt`), Deno.readTextFile(`${folder}/tls.key`)]);
  return { cert, key };
}
