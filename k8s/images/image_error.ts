/** An image could not be made or delivered, or credentials for that not be read. The message says what failed, what was seen, and what to do if that is known. */
export class ImageError extends Error {
  override readonly name = "ImageError";
}
