import { CallersTls, type Certificate } from "./tls_port.ts";

/** How often the files are read again. The kubelet itself takes up to a minute to update a mounted Secret. */
const POLL_MS = 2_000;

/**
 * The TLS of callers with the certificate in `dir`, where the kubelet has mounted a Secret with `tls.crt` and `tls.key`, and with each later
 * version of it. A version that cannot be used changes nothing.
 * @param alpn the protocols that are accepted, best first
 * @returns `stop` ends the following @throws the error of the file system
 */
export async function tlsOfFiles(
  dir: string,
  alpn: readonly string[],
  log: (line: string) => void,
  pollMs: number = POLL_MS,
): Promise<{ readonly tls: CallersTls; stop(): void }> {
  let served = await readPair(dir);
  const tls = new CallersTls(served, alpn);
  let refused: Certificate | undefined;
  let looking = false;
  const use = async (pair: Certificate) => {
    try {
      await tls.use(pair);
      served = pair;
      log("the certificate has changed; the new one is served from now on");
    } catch (error) {
      // Tried again, since what went wrong may pass, as too many open files do; but logged once.
      const isKnown = refused && isSame(pair, refused);
      refused = pair;
      if (!isKnown) log(`the changed certificate cannot be used, so the previous one is still served: ${(error as Error).message}`);
    }
  };
  /** Never rejects: what goes wrong is logged. */
  const look = async () => {
    if (looking) return;
    looking = true;
    try {
      const pair = await readPair(dir);
      if (isSame(pair, served)) return;
      await use(pair);
    } catch (error) {
      log(`the changed certificate cannot be read, so the previous one is still served: ${(error as Error).message}`);
    } finally {
      looking = false;
    }
  };
  const timer = setInterval(() => void look(), pollMs);
  return { tls, stop: () => clearInterval(timer) };
}

function isSame(a: Certificate, b: Certificate): boolean {
  return a.cert === b.cert && a.key === b.key;
}

/** Both files of one moment: the kubelet updates a Secret's files atomically, by pointing the link `..data` to another folder. */
async function readPair(dir: string): Promise<Certificate> {
  const folder = await Deno.realPath(`${dir}/..data`).catch(() => dir);
  const [cert, key] = await Promise.all([Deno.readTextFile(`${folder}/tls.crt`), Deno.readTextFile(`${folder}/tls.key`)]);
  return { cert, key };
}
