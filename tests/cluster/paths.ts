import { ClusterError } from "./errors.ts";

/** Where the test cluster keeps what: all below one directory. */
export interface Paths {
  /** What was built, by name and key. It stays when the cluster goes. */
  readonly programs: string;
  /** The node: all that it writes. It comes with `up` and goes with `down`. */
  readonly node: string;
  /** Held by whoever brings the cluster up or down. */
  readonly lock: string;
}

/** The places below `$XDG_CACHE_HOME`, or `~/.cache`. */
export function paths(env: (name: string) => string | undefined = Deno.env.get): Paths {
  const home = env("HOME");
  const cache = env("XDG_CACHE_HOME") || (home && `${home}/.cache`);
  if (!cache?.startsWith("/")) {
    throw new ClusterError("No place for the test cluster: neither XDG_CACHE_HOME nor HOME is set to an absolute path. Set one.");
  }
  const root = `${cache}/kurun/test-cluster`;
  return { programs: `${root}/programs`, node: `${root}/node`, lock: `${root}/up.lock` };
}
