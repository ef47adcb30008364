/**
 * What a user types to start this program, by the name it was started under: `kurun`, or `kubectl kurun` where kubectl runs it as a
 * plugin (kubectl runs `kubectl-NAME` for `kubectl NAME`, with `_` for `-` inside of NAME).
 *
 * @param startedAs the process's argv[0], a path or a name
 */
export function programName(startedAs: string): string {
  const file = startedAs.split(/[\\/]/).at(-1)?.replace(/\.exe$/i, "") ?? "";
  const plugin = /^kubectl-(.+)$/.exec(file)?.[1];
  return plugin === undefined ? "kurun" : `kubectl ${plugin.replaceAll("-", " ").replaceAll("_", "-")}`;
}
