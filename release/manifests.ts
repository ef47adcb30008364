/** What package managers read to install a release: Homebrew, krew, Scoop and WinGet. @module */
import { stringify } from "yaml";
import { type Archive, executableName, HOMEPAGE, releaseUrl, VERSION } from "./targets.ts";

const SUMMARY = "Connect a Kubernetes Service to a program on your machine";
const LICENSE = "Apache-2.0";

/** The formula of a Homebrew tap, kurun.rb. Windows is left out. */
export function homebrewFormula(archives: readonly Archive[]): string {
  const systems = (["darwin", "linux"] as const).flatMap((os) => {
    // brew style wants on_arm first.
    const own = archives.filter(({ target }) => target.os === os).sort((a, b) => a.target.arch < b.target.arch ? 1 : -1);
    if (own.length === 0) return [];
    const processors = own.map(({ target, name, sha256 }) =>
      [
        `    on_${target.arch === "arm64" ? "arm" : "intel"} do`,
        `      url "${releaseUrl(name)}"`,
        `      sha256 "${sha256}"`,
        "    end",
      ].join("\n")
    );
    return [`  on_${os === "darwin" ? "macos" : os} do\n${processors.join("\n")}\n  end\n`];
  });
  return `class Kurun < Formula
  desc "${SUMMARY}"
  homepage "${HOMEPAGE}"
  version "${VERSION}"
  license "${LICENSE}"

${systems.join("\n")}
  def install
    bin.install "kurun"
    bin.install_symlink "kurun" => "kubectl-kurun"
    man1.install Dir["man/*.1"]
    generate_completions_from_executable(bin/"kurun", "completion")
  end

  test do
    assert_match "kurun #{version},", shell_output("#{bin}/kurun version")
  end
end
`;
}

/** The plugin's manifest of a krew index, kurun.yaml. krew links kubectl-kurun to the executable. */
export function krewManifest(archives: readonly Archive[]): string {
  const platforms = archives.map(({ target, name, sha256 }) => ({
    selector: { matchLabels: { os: target.os, arch: target.arch } },
    uri: releaseUrl(name),
    sha256,
    bin: executableName(target),
    files: [executableName(target), "LICENSE"].map((from) => ({ from, to: "." })),
  }));
  return stringify({
    apiVersion: "krew.googlecontainertools.github.com/v1alpha2",
    kind: "Plugin",
    metadata: { name: "kurun" },
    spec: {
      version: `v${VERSION}`,
      homepage: HOMEPAGE,
      shortDescription: "Let a Service reach a program on your machine",
      description: `${SUMMARY}, so that you can debug an admission webhook without deploying it.\n` +
        "It uses only the API server that kubectl already talks to, and removes everything that it created.\n" +
        "It also runs Go and TypeScript programs in the cluster without an image build.\n",
      platforms,
    },
  }, { lineWidth: 0 });
}

/** The manifest of a Scoop bucket, kurun.json. `checkver` and `autoupdate` are for the bucket's maintainers; nothing here updates by itself. */
export function scoopManifest(archives: readonly Archive[]): string | undefined {
  const windows = archives.find(({ target }) => target.os === "windows");
  if (!windows) return undefined;
  const executable = executableName(windows.target);
  return `${
    JSON.stringify(
      {
        version: VERSION,
        description: `${SUMMARY}.`,
        homepage: HOMEPAGE,
        license: LICENSE,
        architecture: { "64bit": { url: releaseUrl(windows.name), hash: windows.sha256 } },
        bin: [executable, [executable, "kubectl-kurun"]],
        checkver: "github",
        autoupdate: {
          architecture: { "64bit": { url: `${HOMEPAGE}/releases/download/v$version/${windows.name}` } },
          hash: { url: "$baseurl/checksums.txt" },
        },
      },
      undefined,
      2,
    )
  }\n`;
}

/** The version of WinGet's schemas that its manifests follow. */
export const WINGET_SCHEMA = "1.10.0";

/**
 * The three manifests of a package in WinGet's repository, by their file names. Without an archive for Windows there are none.
 *
 * WinGet allows one name for each executable, so there is no kubectl-kurun.
 */
export function wingetManifests(archives: readonly Archive[]): Record<string, string | undefined> {
  const windows = archives.find(({ target }) => target.os === "windows");
  const id = "kurun-dev.kurun";
  if (!windows) return { [`${id}.yaml`]: undefined };
  const manifest = (type: "version" | "installer" | "defaultLocale", fields: Record<string, unknown>) => {
    const all = { PackageIdentifier: id, PackageVersion: VERSION, ...fields, ManifestType: type, ManifestVersion: WINGET_SCHEMA };
    const schema = `https://aka.ms/winget-manifest.${type}.${WINGET_SCHEMA}.schema.json`;
    return `# yaml-language-server: $schema=${schema}\n${stringify(all, { lineWidth: 0 })}`;
  };
  return {
    [`${id}.yaml`]: manifest("version", { DefaultLocale: "en-US" }),
    [`${id}.installer.yaml`]: manifest("installer", {
      InstallerType: "zip",
      NestedInstallerType: "portable",
      NestedInstallerFiles: [{ RelativeFilePath: executableName(windows.target), PortableCommandAlias: "kurun" }],
      Installers: [{ Architecture: "x64", InstallerUrl: releaseUrl(windows.name), InstallerSha256: windows.sha256 }],
    }),
    [`${id}.locale.en-US.yaml`]: manifest("defaultLocale", {
      PackageLocale: "en-US",
      Publisher: "kurun-dev",
      PackageName: "kurun",
      PackageUrl: HOMEPAGE,
      License: LICENSE,
      LicenseUrl: `${HOMEPAGE}/blob/v${VERSION}/LICENSE`,
      ShortDescription: `${SUMMARY}.`,
      Moniker: "kurun",
      ReleaseNotesUrl: `${HOMEPAGE}/releases/tag/v${VERSION}`,
    }),
  };
}
