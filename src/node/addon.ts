import { createRequire } from 'node:module';
import { LociError } from './error.ts';

type BatchArguments = [slab: Uint8Array, meta: Int32Array, slots: number, stride: number];
type BatchCall = (fd: number, slab: Uint8Array, meta: Int32Array, slots: number, stride: number) => number;

/** The functions of the native addon. A negative result is a negated errno. */
export interface Addon {
  checksum(octets: Uint8Array, initial: number): number;
  tunOpen(name: string, mtu: number): number;
  tunIndex(fd: number): number;
  readonly tunRead: BatchCall;
  readonly tunWrite: BatchCall;
  senderOpen(locator: Uint8Array, mark: number): number;
  readonly senderSend: BatchCall;
  receiverOpen(protocol: number, mark: number, types: Uint8Array): number;
  receiverOpenIpv4(protocol: number, mark: number): number;
  receiverFilter(fd: number, program: Uint8Array): number;
  readonly receiverReceive: BatchCall;
  icmpv6Send(fd: number, destination: Uint8Array, interfaceIndex: number, octets: Uint8Array): number;
  udpOpen(locator: Uint8Array, port: number, mark: number): number;
  readonly udpReceive: BatchCall;
  espAdd(
    inbound: 0 | 1,
    suite: number,
    spi: number,
    encryption: Uint8Array,
    authentication: Uint8Array,
    inner: Uint8Array,
    sequence: Uint8Array,
    hasShortNumbers: 0 | 1,
    window: number,
  ): number;
  espPath(handle: number, socket: number, outer: Uint8Array, port: number): number;
  espRemove(handle: number): number;
  espCounters(handle: number, into: Float64Array): number;
  espSeal(...batches: [...BatchArguments, ...BatchArguments]): number;
  espOpen(udp: 0 | 1, ...batches: [...BatchArguments, ...BatchArguments]): number;
  captureOpen(interfaceIndex: number): number;
  readonly captureReceive: BatchCall;
  watch(fd: number, callback: () => void): number;
  unref(fd: number): number;
  pause(fd: number, paused: 0 | 1): number;
  close(fd: number): number;
  dropped(fd: number): number;
  netlinkOpen(protocol: number, groups: Uint8Array): number;
  netlinkExchange(fd: number, request: Uint8Array, first: number, count: number, answers: number): Uint8Array | number;
  netlinkReceive(fd: number): Uint8Array | number;
  notify(address: Uint8Array, text: Uint8Array): number;
}

let loaded: Addon | undefined;

/** The native addon, loaded at first use, so that everything else works where it is not built. */
export function addon(): Addon {
  loaded ??= load();
  return loaded;
}

function load(): Addon {
  const path = '../../build/Release/loci.node';
  try {
    const native: Addon = createRequire(import.meta.url)(path);
    return native;
  } catch (cause) {
    const advice = 'build it with `npm rebuild` in the folder of loci (needs a C compiler, make and python3)';
    throw new LociError('addon-missing', `the native addon cannot be loaded: ${advice}`, { cause });
  }
}
