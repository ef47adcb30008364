/** What package managers read to install a release: Homebrew, krew and Scoop. @module */
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
