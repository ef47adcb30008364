/** The test cluster could not do what was asked. The message says what was tried, what happened and what to do. */
export class ClusterError extends Error {
  override readonly name: string = "ClusterError";
}

/** This machine cannot run a test cluster, and we cannot change that: tests that need one are skipped. */
export class ClusterUnavailableError extends ClusterError {
  override readonly name: string = "ClusterUnavailableError";
}

/** The operation needs a cluster of our own. */
export class ForeignClusterError extends ClusterError {
  override readonly name: string = "ForeignClusterError";
}
