import type { Deliver } from "../images/deliver_images.ts";
import type { ApplyFlags } from "./apply_flags.ts";
import type { PrepareOptions } from "./prepare_manifests.ts";

/** What `kurun apply` works with. */
export interface ApplyRun extends PrepareOptions {
  readonly flags: ApplyFlags;
  readonly deliver: Deliver;
}
