import { Option } from "commander";
import type { Transport } from "../../k8s/session/session_rights.ts";

/** Makes the option `--transport`, whose value is a {@link Transport}. */
export function transportOption(): Option {
  const ways: readonly Transport[] = ["auto", "service", "pod"];
  return new Option(
    "--transport <way>",
    "how kurun reaches its Pod: service (through services/proxy), pod (through the kubelet, pods/portforward), or auto: service, and pod if that fails",
  ).choices(ways).default("auto");
}
