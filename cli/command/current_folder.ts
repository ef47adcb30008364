/** The current folder; the root if it was removed while kurun ran. */
export function currentFolder(): string {
  try {
    return Deno.cwd();
  } catch {
    return "/";
  }
}
