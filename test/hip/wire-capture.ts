import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Address } from '../../src/wire/address.ts';
import { fromHex } from '../../src/wire/hex.ts';
import { ipv4Mapped, parseIpv4Header } from '../../src/wire/ipv4.ts';
import { HIP, parseIpv6Header } from '../../src/wire/ipv6.ts';
import { networkPacket } from '../../src/wire/link-layer.ts';
import { parseCapture } from '../../src/wire/pcapng.ts';

/** A HIP packet of a capture, with the addresses that it went between. */
export interface CapturedHip {
  readonly source: Address;
  readonly destination: Address;
  readonly octets: Uint8Array;
}

function file(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../vectors/${name}`, import.meta.url)));
}

/** Every HIP packet in a file of `test/vectors/`, IPv4 and IPv6. */
export function hipPacketsOf(name: string): CapturedHip[] {
  const parsed = parseCapture(file(name));
  if (!parsed.ok) throw new Error(`${name}: ${parsed.reason}`);
  return parsed.value.packets.flatMap(({ interface: port, octets }) => {
    const packet = networkPacket(port.linkType, octets);
    return packet === undefined ? [] : hipIn(packet);
  });
}

function hipIn(packet: Uint8Array): CapturedHip[] {
  const v4 = parseIpv4Header(packet);
  if (v4.ok) {
    const { protocol, headerLength, totalLength, source, destination } = v4.value;
    return protocol === HIP ? [{ source, destination, octets: packet.slice(headerLength, totalLength) }] : [];
  }
  const v6 = parseIpv6Header(packet);
  if (!v6.ok || v6.value.nextHeader !== HIP) return [];
  const { source, destination, payloadLength } = v6.value;
  return [{ source, destination, octets: packet.slice(40, 40 + payloadLength) }];
}

const Key = z.object({
  ev: z.literal('hip_key'),
  arg1_hit: z.string(),
  arg2_hit: z.string(),
  enc: z.string(),
  mac: z.string(),
});

/** Keys by the direction in which they serve, as one side of the exchange told them: `sender>receiver`. */
export function hipKeysOf(name: string): ReadonlyMap<string, { readonly enc: Uint8Array; readonly mac: Uint8Array }> {
  const keys = new Map<string, { readonly enc: Uint8Array; readonly mac: Uint8Array }>();
  for (const line of new TextDecoder().decode(file(name)).split('\n').filter(Boolean)) {
    const parsed = Key.safeParse(JSON.parse(line));
    if (!parsed.success) continue;
    const { arg1_hit: one, arg2_hit: other, enc, mac } = parsed.data;
    keys.set(`${one}>${other}`, { enc: hex(enc), mac: hex(mac) });
  }
  return keys;
}

/** Octets of a test, in hexadecimal with any white space. */
export function hex(text: string): Uint8Array {
  const octets = fromHex(text.replaceAll(/\s/g, ''));
  if (octets === undefined) throw new Error('not hexadecimal');
  return octets;
}

/** An address given as four octets. */
export function ipv4(...octets: readonly number[]): Address {
  return ipv4Mapped(Uint8Array.from(octets));
}
