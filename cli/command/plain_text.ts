/**
 * A text that came from elsewhere (the cluster, another user's session, the network), as it may stand on a terminal: without control
 * characters, which could carry escape sequences. Line ends stay.
 */
export function plainText(text: string): string {
  return text.replace(/[^\P{Cc}\n]/gu, "");
}
