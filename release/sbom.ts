/** The software bill of materials of a release, in SPDX 2.3 (https://spdx.github.io/spdx-spec/v2.3/). @module */
import { bundleServer } from "../k8s/images/server_bundle.ts";
import { HOMEPAGE, releaseUrl, VERSION } from "./targets.ts";

/** The file's name in the release. */
export const SBOM_NAME = "kurun.spdx.json";

/** A package on npm. */
export interface NpmPackage {
  readonly name: string;
  readonly version: string;
}

/** The npm packages in a bundle, by the comments that name each module's origin. */
export function bundledPackages(bundle: string): NpmPackage[] {
  const found = new Set([...bundle.matchAll(/^\/\/ npm\/((?:@[^/\n]+\/)?[^/\n]+\/[^/\n]+)\//gm)].map(([, path]) => path as string));
  return [...found].sort().map((path) => ({ name: path.slice(0, path.lastIndexOf("/")), version: path.slice(path.lastIndexOf("/") + 1) }));
}

/** The npm packages that the executable contains: those of the command line and of the Pod's server, not those of the tests. */
export async function shippedPackages(): Promise<NpmPackage[]> {
  const entries = ["../main.ts", "../server/main.ts"].map((path) => new URL(path, import.meta.url));
  const bundles = await Promise.all(entries.map((entry) => bundleServer(entry)));
  return bundledPackages(bundles.map((bundle) => new TextDecoder().decode(bundle)).join("\n"));
}

/** What the SBOM says of npm packages: deno.lock's `npm`. */
export type LockedPackages = Readonly<Record<string, { readonly integrity: string }>>;

/**
 * Writes the SBOM.
 *
 * @param created when the released commit was made, so that the same commit gives the same file
 * @throws Error if a package is not in deno.lock
 */
export function sbom(packages: readonly NpmPackage[], locked: LockedPackages, deno: string, created: Date): string {
  const common = { filesAnalyzed: false, downloadLocation: "NOASSERTION", licenseConcluded: "NOASSERTION", copyrightText: "NOASSERTION" };
  const contained = packages.map(({ name, version }) => {
    const integrity = locked[`${name}@${version}`]?.integrity;
    const [, sha512] = /^sha512-([\w+/=]+)$/.exec(integrity ?? "") ?? [];
    if (!sha512) throw new Error(`${name}@${version} is in the bundle, but deno.lock has no SHA-512 for it: run deno install`);
    return {
      ...common,
      SPDXID: `SPDXRef-npm-${`${name}-${version}`.replaceAll(/[^\w.-]|_/g, "-")}`,
      name,
      versionInfo: version,
      checksums: [{ algorithm: "SHA512", checksumValue: Uint8Array.fromBase64(sha512).toHex() }],
      externalRefs: [purl(`pkg:npm/${name.replace("@", "%40")}@${version}`)],
    };
  });
  const runtime = {
    ...common,
    SPDXID: "SPDXRef-deno",
    name: "deno",
    versionInfo: deno,
    downloadLocation: `https://github.com/denoland/deno/releases/tag/v${deno}`,
    licenseDeclared: "MIT",
    externalRefs: [purl(`pkg:github/denoland/deno@v${deno}`)],
  };
  const kurun = {
    ...common,
    SPDXID: "SPDXRef-kurun",
    name: "kurun",
    versionInfo: VERSION,
    downloadLocation: `${HOMEPAGE}/releases/tag/v${VERSION}`,
    licenseConcluded: "Apache-2.0",
    licenseDeclared: "Apache-2.0",
    primaryPackagePurpose: "APPLICATION",
  };
  const document = {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: `kurun-${VERSION}`,
    documentNamespace: releaseUrl(SBOM_NAME),
    creationInfo: { created: created.toISOString().replace(/\.\d+Z$/, "Z"), creators: [`Tool: kurun-release-${VERSION}`] },
    packages: [kurun, runtime, ...contained],
    relationships: [
      relationship("SPDXRef-DOCUMENT", "DESCRIBES", kurun.SPDXID),
      ...[runtime, ...contained].map(({ SPDXID }) => relationship(kurun.SPDXID, "CONTAINS", SPDXID)),
    ],
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function purl(referenceLocator: string): Record<string, string> {
  return { referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator };
}

function relationship(spdxElementId: string, relationshipType: string, relatedSpdxElement: string): Record<string, string> {
  return { spdxElementId, relationshipType, relatedSpdxElement };
}
