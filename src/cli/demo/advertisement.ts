import type { Address } from '../../wire/address.ts';
import { Writer } from '../../wire/writer.ts';

/** ICMPv6 types, RFC 4861 §4.1 and §4.2. */
export const ROUTER_SOLICITATION = 133;
export const ROUTER_ADVERTISEMENT = 134;

/** Prf, RFC 4191 §2.1, where it stands in the flags octet. */
const PREFERENCES = { high: 0x08, medium: 0x00, low: 0x18 } as const;
export type Preference = keyof typeof PREFERENCES;

const PREFIX_INFORMATION = 3;
const PREFIX_INFORMATION_LENGTH = 32;
const PREFIX_LENGTH = 64;
const ON_LINK_AND_AUTONOMOUS = 0xc0; // §4.6.2: L and A

/**
 * Router Advertisement, RFC 4861 §4.2, with Prefix Information options (§4.6.2).
 *
 *     0       1       2          4           5       6                8              12
 *   +-------+-------+----------+-----------+-------+----------------+--------------+----------------+
 *   | Type  | Code  | Checksum | Hop Limit | Flags | Router Lifetime| Reachable T. | Retrans Timer  |
 *   +-------+-------+----------+-----------+-------+----------------+--------------+----------------+
 */
export interface RouterAdvertisement {
  readonly hopLimit: number;
  readonly preference: Preference;
  readonly lifetimeSeconds: number;
  readonly prefixes: readonly {
    readonly prefix: Address;
    readonly validSeconds: number;
    readonly preferredSeconds: number;
  }[];
}

/** The message; the kernel fills in the checksum. */
export function writeRouterAdvertisement(advertisement: RouterAdvertisement): Uint8Array {
  const w = new Writer(16 + advertisement.prefixes.length * PREFIX_INFORMATION_LENGTH);
  w.u8(ROUTER_ADVERTISEMENT);
  w.zeros(3);
  w.u8(advertisement.hopLimit);
  w.u8(PREFERENCES[advertisement.preference]);
  w.u16(advertisement.lifetimeSeconds);
  w.zeros(8); // Reachable Time and Retrans Timer: unspecified
  for (const { prefix, validSeconds, preferredSeconds } of advertisement.prefixes) {
    w.u8(PREFIX_INFORMATION);
    w.u8(PREFIX_INFORMATION_LENGTH / 8);
    w.u8(PREFIX_LENGTH);
    w.u8(ON_LINK_AND_AUTONOMOUS);
    w.u32(validSeconds);
    w.u32(preferredSeconds);
    w.zeros(4);
    w.octets(prefix);
  }
  return w.finish();
}
