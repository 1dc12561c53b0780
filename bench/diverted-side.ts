/**
 * One host of the `diverted` benchmark, in its own process: what leaves through the TUN device gets a Shim6 payload header and
 * locators, what comes in gets its identifiers back. The least that a data path has to do, over the real ports.
 */
import { execFileSync } from 'node:child_process';
import {
  batch,
  CHECKSUM_START,
  ERROR,
  FIELDS,
  HOP_LIMIT,
  LENGTH,
  OFFSET,
  SOCKET,
  TRAFFIC_CLASS,
} from '../src/host/ports.ts';
import { RawReceiver, RawSender } from '../src/node/packets.ts';
import { TunDevice, TUN_STRIDE } from '../src/node/tun.ts';
import { parseAddress } from '../src/wire/address.ts';

const SHIM6 = 140;
const ROUNDS = 4; // batches per turn, so that neither direction starves the other

/** The four words of an address, as they lie in memory. */
function words(text: string): Uint32Array {
  const address = parseAddress(text);
  if (address === undefined) throw new RangeError(`not an address: ${text}`);
  return new Uint32Array(address.slice().buffer);
}

function swapped(value: number): number {
  return ((value & 0xff) << 8) | ((value >> 8) & 0xff);
}

const [ownUlid = '', peerUlid = '', ownLocator = '', peerLocator = ''] = process.argv.slice(2);
const tun = TunDevice.open('loci0', 1492);
execFileSync('ip', ['-6', 'addr', 'add', `${ownUlid}/128`, 'dev', 'loci0', 'nodad']);
execFileSync('ip', ['-6', 'route', 'add', `${peerUlid}/128`, 'dev', 'loci0', 'src', ownUlid]);
const sender = new RawSender();
const receiver = RawReceiver.open(SHIM6);
const socket = sender.descriptor(new Uint8Array(words(ownLocator).buffer));
const ulids = [...words(peerUlid), ...words(ownUlid)];
const locators = [...words(ownLocator), ...words(peerLocator)];

const out = batch(8, TUN_STRIDE);
const outWords = new Uint32Array(out.slab.buffer);
const outShorts = new Uint16Array(out.slab.buffer);
let refused = 0;

function transmit(): void {
  for (let round = 0; round < ROUNDS; round++) {
    const count = tun.read(out);
    for (let slot = 0; slot < count; slot++) {
      const row = slot * FIELDS;
      const from = out.meta[row + OFFSET] ?? 0;
      const length = (out.meta[row + LENGTH] ?? 0) + 8;
      const to = from - 8;
      const nextHeader = out.slab[from + 6] ?? 0;
      outWords[to >> 2] = outWords[from >> 2] ?? 0; // version, traffic class, flow label
      outWords[(to >> 2) + 1] = outWords[(from >> 2) + 1] ?? 0; // hop limit
      outShorts[(to >> 1) + 2] = swapped((length - 40) & 0xffff);
      out.slab[to + 6] = SHIM6;
      for (let i = 0; i < 8; i++) outWords[(to >> 2) + 2 + i] = locators[i] ?? 0;
      outWords[(to >> 2) + 10] = 0x00800000 | nextHeader; // RFC 5533 §5.2: next header, length 0, P and the context tag
      outWords[(to >> 2) + 11] = 0x2a2a2a2a;
      out.meta[row + OFFSET] = to;
      out.meta[row + LENGTH] = length;
      if ((out.meta[row + CHECKSUM_START] ?? 0) > 0)
        out.meta[row + CHECKSUM_START] = (out.meta[row + CHECKSUM_START] ?? 0) + 8;
      out.meta[row + SOCKET] = socket;
    }
    if (count > 0) sender.send(out, count);
    for (let slot = 0; slot < count; slot++) if (out.meta[slot * FIELDS + ERROR] !== 0) refused++;
    if (count < out.slots) return;
  }
}

const incoming = batch(64, 2048);
const inWords = new Uint32Array(incoming.slab.buffer);
const inShorts = new Uint16Array(incoming.slab.buffer);

function deliver(): void {
  for (let round = 0; round < ROUNDS; round++) {
    const count = receiver.receive(incoming);
    for (let slot = 0; slot < count; slot++) {
      const row = slot * FIELDS;
      const shim = incoming.meta[row + OFFSET] ?? 0;
      const length = (incoming.meta[row + LENGTH] ?? 0) - 8;
      const to = shim - 32;
      const nextHeader = incoming.slab[shim] ?? 0;
      const trafficClass = incoming.meta[row + TRAFFIC_CLASS] ?? 0;
      inWords[to >> 2] = 0x60 | (trafficClass >> 4) | ((trafficClass & 0x0f) << 12);
      inShorts[(to >> 1) + 2] = swapped(length);
      inShorts[(to >> 1) + 3] = nextHeader | ((incoming.meta[row + HOP_LIMIT] ?? 0) << 8);
      for (let i = 0; i < 8; i++) inWords[(to >> 2) + 2 + i] = ulids[i] ?? 0;
      incoming.meta[row + OFFSET] = to;
      incoming.meta[row + LENGTH] = length + 40;
    }
    if (count > 0) tun.write(incoming, count);
    if (count < incoming.slots) return;
  }
}

tun.onReadable(transmit);
receiver.onReadable(deliver);
process.on('SIGTERM', () => {
  const { user, system } = process.cpuUsage();
  process.stdout.write(`${JSON.stringify({ cpuSeconds: (user + system) / 1e6, refused })}\n`, () => process.exit(0));
});
process.stdout.write('ready\n');
