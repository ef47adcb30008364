import { ImageError } from "./image_error.ts";

/**
 * kurun's cache folder: `$XDG_CACHE_HOME/kurun`, else `~/.cache/kurun`, on Windows in `%LOCALAPPDATA%`.
 * @throws ImageError if the environment names neither a cache folder nor a home
 */
export function userCacheFolder(env: (name: string) => string | undefined): string {
  const base = env("XDG_CACHE_HOME") || env("LOCALAPPDATA");
  if (base) return `${base}/kurun`;
  const home = env("HOME") || env("USERPROFILE");
  if (home) return `${home}/.cache/kurun`;
  throw new ImageError("there is no folder to cache images in: none of XDG_CACHE_HOME, HOME and LOCALAPPDATA is set. Set XDG_CACHE_HOME.");
}
