import { clientFaults } from "./client_faults.ts";
import { clockFaults } from "./clock_faults.ts";
import { controlPlaneFaults } from "./control_plane_faults.ts";
import type { Fault } from "./fault.ts";
import { networkFaults } from "./network_faults.ts";
import { podFaults } from "./pod_faults.ts";
import { sessionFaults } from "./session_faults.ts";

/** Every fault, in the order of docs/reliability.md. */
export const ALL_FAULTS: readonly Fault[] = [
  ...clientFaults,
  ...podFaults,
  ...controlPlaneFaults,
  ...networkFaults,
  ...sessionFaults,
  ...clockFaults,
];
