import { ClusterError } from "./errors.ts";

/** Where the test cluster keeps its files, all below one directory. */
export interface Paths {
  /** Built programs, by name and key. They stay when the cluster is removed. */
  readonly programs: string;
  /** What takes long about images like denoland/deno's: packed layers. They stay too. */
  readonly images: string;
  /** Everything that the node writes. Created by `up`, removed by `down`. */
  readonly node: string;
  /** The lock of whoever brings the cluster up or down. */
  readonly lock: string;
}

/** The paths below `$XDG_CACHE_HOME` or `~/.cache`. */
export function paths(env: (name: string) => string | undefined = Deno.env.get): Paths {
  const home = env("HOME");
  const cache = env("XDG_CACHE_HOME") || (home && `${home}/.cache`);
  if (!cache?.startsWith("/")) {
    throw new ClusterError("There is no place for the test cluster: set XDG_CACHE_HOME or HOME to an absolute path.");
  }
  const root = `${cache}/kurun/test-cluster`;
  return { programs: `${root}/programs`, images: `${root}/images`, node: `${root}/node`, lock: `${root}/up.lock` };
}
