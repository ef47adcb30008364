import { Command } from "commander";
import { addClusterFlags } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";
import { addDeliverFlags } from "../images/deliver_flags.ts";
import { deliverAnywhere } from "../images/deliver_images.ts";
import { deliverReferences, type LoadedManifest, openManifests } from "./load_manifests.ts";
import { refuse } from "../../k8s/manifests/manifest_error.ts";
import { addManifestFlags, manifestNames } from "./manifest_flags.ts";
import { spliceReferences } from "../../k8s/manifests/manifest_references.ts";

/** `kurun resolve -f FILE` */
export function resolveCommand(context: Context): Command {
  const command = new Command("resolve")
    .summary("print manifests with kurun:// references replaced by images")
    .description(
      "Builds and delivers the sources that manifests refer to by kurun://PATH, and prints the manifests with the images in place of the references. " +
        "Everything else is printed byte for byte. Nothing is applied.",
    )
    .addHelpText("after", EXAMPLES);
  return addClusterFlags(addDeliverFlags(addManifestFlags(command))).action(async (more: string[], options: Record<string, unknown>) => {
    const names = manifestNames("resolve", more, options);
    const { manifests, problems, missing } = await openManifests(context, names, options.recursive === true);
    refuse([...problems, ...missing], manifests);
    await deliverReferences(manifests, deliverAnywhere(context, options));
    context.data(joinManifests(manifests.map(resolvedText)));
  });
}

const EXAMPLES = `
Examples:
  # apply with another tool
  kurun resolve -f k8s/ --repo registry.example.com/shop > resolved.yaml
`;

/** The text with the images that {@link deliverReferences} put into the parsed manifest. */
function resolvedText({ file, references }: LoadedManifest): string {
  const found = references.map(({ reference }) => reference);
  return spliceReferences(file.text, found, found.map(({ node }) => node.value as string));
}

const BYTE_ORDER_MARK = "\ufeff";

/** Joins manifests to one text, with separator lines between them. A single manifest stays as it is. */
export function joinManifests(texts: readonly string[]): string {
  return texts.reduce((joined, text) => {
    if (joined === "") return text;
    const next = text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
    const newline = joined.endsWith("\r\n") ? "\r\n" : "\n";
    const ended = joined.endsWith("\n") ? joined : joined + newline;
    if (/^---(?:\s|$)/.test(next)) return ended + next;
    // A directive must follow the end marker of the previous document.
    return `${ended}${/^%/m.test(firstLines(next)) ? "..." : "---"}${newline}${next}`;
  }, "");
}

/** The comments and directives before the first document. */
function firstLines(text: string): string {
  return /^(?:(?:#.*|%.*|\s*)\r?\n)*/.exec(text)![0];
}
