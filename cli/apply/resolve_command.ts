import { Command } from "commander";
import { addClusterFlags } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";
import { addDeliverFlags } from "../images/deliver_flags.ts";
import { deliverAnywhere } from "../images/deliver_images.ts";
import { deliverReferences, imageOf, type LoadedManifest } from "./load_manifests.ts";
import { addManifestFlags, manifestNames, openManifests, refuse } from "./manifest_flags.ts";
import { spliceReferences } from "../../k8s/manifests/manifest_references.ts";

/** `kurun resolve -f FILE` */
export function resolveCommand(context: Context): Command {
  const command = new Command("resolve")
    .summary("print manifests with images in place of kurun:// references")
    .description(
      "Builds and delivers what manifests refer to by kurun://PATH, and prints them with the images' names in place of the references. " +
        "All else is printed as it is, byte for byte; nothing is applied.",
    )
    .addHelpText("after", EXAMPLES);
  return addClusterFlags(addDeliverFlags(addManifestFlags(command))).action(async (more: string[], options: Record<string, unknown>) => {
    const names = manifestNames("resolve", more, options);
    const { files, manifests, problems, missing } = await openManifests(context, names, options);
    refuse([...problems, ...missing], files);
    const images = await deliverReferences(manifests, deliverAnywhere(context, options));
    context.data(joinManifests(manifests.map((manifest) => resolvedText(manifest, images))));
  });
}

const EXAMPLES = `
Examples:
  # for another tool to apply
  kurun resolve -f k8s/ --repo registry.example.com/shop > resolved.yaml
`;

function resolvedText({ file, references }: LoadedManifest, images: ReadonlyMap<string, string>): string {
  return spliceReferences(file.text, references.map(({ reference }) => reference), references.map(({ path }) => imageOf(images, path)));
}

const BYTE_ORDER_MARK = "\ufeff";

/** Manifests as one text of many documents. A single one stays as it is; between two there is a line that separates them. */
export function joinManifests(texts: readonly string[]): string {
  return texts.reduce((joined, text) => {
    if (joined === "") return text;
    const next = text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
    const newline = joined.endsWith("\r\n") ? "\r\n" : "\n";
    const ended = joined.endsWith("\n") ? joined : joined + newline;
    if (/^---(?:\s|$)/.test(next)) return ended + next;
    // A directive begins a document, and stands after the end of the one before.
    return `${ended}${/^%/m.test(firstLines(next)) ? "..." : "---"}${newline}${next}`;
  }, "");
}

/** Comments and directives before the first document's own lines. */
function firstLines(text: string): string {
  return /^(?:(?:#.*|%.*|\s*)\r?\n)*/.exec(text)![0];
}
