/** The test cluster could not do what was asked. The message says what was tried, what came back and what to do. */
export class ClusterError extends Error {
  override readonly name: string = "ClusterError";
}

/** This machine cannot run a test cluster, and nothing that we may do changes that: tests that want one are skipped. */
export class ClusterUnavailableError extends ClusterError {
  override readonly name: string = "ClusterUnavailableError";
}

/** It was asked of a cluster that is not ours. */
export class ForeignClusterError extends ClusterError {
  override readonly name: string = "ForeignClusterError";
}
