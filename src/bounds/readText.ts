import { AppError } from '../errors.js';

export interface ReadTextOptions {
  readonly maxBytes: number;
  /** Whose answer it is, for the error. */
  readonly where: string;
}

/**
 * The body of a peer's answer, as text (UTF-8; what is none becomes U+FFFD). Of a body that is longer than `maxBytes`, decompressed, no more is read: throws `data`,
 * so that a peer can't fill the memory. Throws what the connection throws.
 */
export async function readText(response: Pick<Response, 'body'>, { maxBytes, where }: ReadTextOptions): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += (chunk as Uint8Array).length;
    // Leaving the loop cancels what is still to come.
    if (bytes > maxBytes) throw new AppError('data', `its answer is larger than ${Math.round(maxBytes / 1_000_000)} MB: no more of it was read`, { where });
    chunks.push(chunk as Uint8Array);
  }
  return new TextDecoder().decode(Buffer.concat(chunks, bytes));
}
