import { LociError } from './error.ts';
import type { NetlinkExchange } from './netlink/message.ts';
import { joined } from './netlink/attributes.ts';

/** What the kernel answers when something to be deleted is not there (any more). */
export const GONE: readonly string[] = ['ENOENT', 'ESRCH', 'EADDRNOTAVAIL', 'ENODEV', 'ENXIO'];

const TOGETHER = 200; // messages in one send: well below the socket's send buffer

/** Send requests, many together; refusals with one of the `expected` codes are as good as success. */
export function perform(
  socket: NetlinkExchange,
  requests: readonly Uint8Array[],
  expected: readonly string[] = [],
): void {
  let refusal: LociError | undefined;
  for (let at = 0; at < requests.length; at += TOGETHER) {
    refusal ??= refusalOf(socket, joined(requests.slice(at, at + TOGETHER)), expected);
  }
  if (refusal !== undefined) throw refusal;
}

/** The kernel works on all requests of one send, also behind one that it refuses. */
export function refusalOf(
  socket: NetlinkExchange,
  request: Uint8Array,
  expected: readonly string[],
): LociError | undefined {
  try {
    socket.exchange(request);
    return undefined;
  } catch (error) {
    if (!(error instanceof LociError)) throw error;
    return expected.includes(error.code) ? undefined : error;
  }
}
