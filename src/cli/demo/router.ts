/**
 * What makes a namespace a provider's router: announces prefixes on its links (RFC 4861 §6.2) every two seconds,
 * when somebody solicits, and when it is told something new. Commands: `{interfaceIndex, preference, prefixes}`.
 */
import { z } from 'zod';
import { FIELDS, INTERFACE, batch } from '../../host/ports.ts';
import { Icmpv6Socket } from '../../node/packets.ts';
import { parseAddress } from '../../wire/address.ts';
import type { Address } from '../../wire/address.ts';
import { ROUTER_SOLICITATION, writeRouterAdvertisement } from './advertisement.ts';
import { onCommand, say } from './lines.ts';

const INTERVAL_MS = 2_000;
const ROUTER_LIFETIME_SECONDS = 1_800;
const HOP_LIMIT = 64;
const SLOTS = 8;
const STRIDE = 2_048;

const Command = z.object({
  interfaceIndex: z.number(),
  preference: z.enum(['high', 'medium', 'low']),
  prefixes: z.array(z.object({ prefix: z.string(), validSeconds: z.number(), preferredSeconds: z.number() })),
});

const ALL_NODES = address('ff02::1');
const socket = Icmpv6Socket.open([ROUTER_SOLICITATION]);
const solicitations = batch(SLOTS, STRIDE);
const advertisements = new Map<number, Uint8Array>();

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new TypeError(`not an address: ${text}`);
  return parsed;
}

function advertise(interfaceIndex: number): void {
  const octets = advertisements.get(interfaceIndex);
  if (octets === undefined) return;
  try {
    socket.send(ALL_NODES, interfaceIndex, octets);
  } catch (error) {
    say('unsent', { interfaceIndex, why: String(error) }); // the link is down; hosts learn more when it is up again
  }
}

onCommand((line) => {
  const { interfaceIndex, preference, prefixes } = Command.parse(line);
  const advertisement = {
    hopLimit: HOP_LIMIT,
    preference,
    lifetimeSeconds: ROUTER_LIFETIME_SECONDS,
    prefixes: prefixes.map(({ prefix, ...lifetimes }) => ({ prefix: address(prefix), ...lifetimes })),
  };
  advertisements.set(interfaceIndex, writeRouterAdvertisement(advertisement));
  advertise(interfaceIndex);
});

socket.onReadable(() => {
  const count = socket.receive(solicitations);
  for (let slot = 0; slot < count; slot++) advertise(solicitations.meta[slot * FIELDS + INTERFACE] ?? 0);
});

setInterval(() => {
  for (const interfaceIndex of advertisements.keys()) advertise(interfaceIndex);
}, INTERVAL_MS);

say('ready');
