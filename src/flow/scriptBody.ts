import type { FclArg } from './fcl.js';

/** Elements of a list that are made text at once. */
const ELEMENTS = 100;
/** Bytes that become base64 at once; a multiple of 3, so that the texts join. */
const SLICE = 3 * 16_384;

/**
 * A script call's body, as bytes. A question about 2,000 wallets has 0.5 MB: as one text it would be a large object of V8, of which there are
 * several for each call (JSON, base64, JSON around it), and they are freed by full collections alone. So it is written in small pieces.
 */
export function scriptBody(cadence: string, args: readonly FclArg[]): Buffer {
  const pieces: Buffer[] = [];
  const write = (text: string): void => void pieces.push(Buffer.from(text));
  write('{"script":"');
  writeBase64(Buffer.from(cadence), write);
  write('","arguments":[');
  args.forEach((argument, i) => {
    write(i === 0 ? '"' : ',"');
    writeBase64(jsonBytes(argument), write);
    write('"');
  });
  write(']}');
  return Buffer.concat(pieces);
}

function writeBase64(bytes: Buffer, write: (text: string) => void): void {
  for (let at = 0; at < bytes.length; at += SLICE) write(bytes.toString('base64', at, at + SLICE));
}

/** What JSON.stringify writes. */
function jsonBytes(argument: FclArg): Buffer {
  const { type, value } = argument;
  if (!Array.isArray(value)) return Buffer.from(JSON.stringify(argument));
  const pieces = [Buffer.from(`{"type":${JSON.stringify(type)},"value":[`)];
  for (let at = 0; at < value.length; at += ELEMENTS) {
    pieces.push(Buffer.from(`${at === 0 ? '' : ','}${JSON.stringify(value.slice(at, at + ELEMENTS)).slice(1, -1)}`));
  }
  pieces.push(Buffer.from(']}'));
  return Buffer.concat(pieces);
}
