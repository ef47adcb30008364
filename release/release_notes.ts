/** The section of CHANGELOG.md that describes a release, and whether the documents are ready for it. Pure. @module */

/** What the documents say as long as nothing is published. */
const UNPUBLISHED = /Nothing is published yet|Nothing has been released yet|No hosted runner has done this yet/;

/**
 * The text of a version in CHANGELOG.md, without its heading, such as `## 0.1.0 - 2026-12-01`.
 *
 * @returns undefined if the version has no section, or an empty one
 */
export function releaseNotes(changelog: string, version: string): string | undefined {
  for (const section of changelog.split(/^## /m).slice(1)) {
    const [heading = "", ...lines] = section.split("\n");
    const text = lines.join("\n").trim();
    if (heading.split(" ")[0] === version && text !== "") return `${text}\n`;
  }
  return undefined;
}

/**
 * Why a tag cannot be released.
 *
 * @param documents the texts of CHANGELOG.md and of what else speaks of releases, by their paths
 * @returns a line for each reason
 */
export function releaseObstacles(tag: string, version: string, documents: Readonly<Record<string, string>>): string[] {
  const obstacles = tag === `v${version}` ? [] : [`the tag is ${tag}, but the version in deno.json is ${version}`];
  if (!releaseNotes(documents["CHANGELOG.md"] ?? "", version)) obstacles.push(`CHANGELOG.md has no section "## ${version} - DATE"`);
  for (const [path, text] of Object.entries(documents)) {
    const [said] = UNPUBLISHED.exec(text.replaceAll(/\s+/g, " ")) ?? [];
    if (said) obstacles.push(`${path} still says "${said}"`);
  }
  return obstacles;
}
