/** An image cannot be made or delivered. The message says what failed, what was seen, and what to do if that is known. */
export class ImageError extends Error {
  override readonly name = "ImageError";
}
