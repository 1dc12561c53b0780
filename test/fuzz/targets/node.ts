import { parseAddressMessage, RTM_NEWADDR, writeAddressMessage } from '../../../src/node/netlink/address.ts';
import { parseLabel, RTM_NEWADDRLABEL, writeLabel } from '../../../src/node/netlink/label.ts';
import { parseLink } from '../../../src/node/netlink/link.ts';
import { parseElements } from '../../../src/node/netlink/nf-tables.ts';
import { parseRoute, RTM_NEWROUTE, writeRoute } from '../../../src/node/netlink/route.ts';
import { parseRule, RTM_NEWRULE, writeRule } from '../../../src/node/netlink/rule.ts';
import { parseAddress } from '../../../src/wire/address.ts';
import { fromHex } from '../../../src/wire/hex.ts';
import type { Target } from '../targets.ts';

const address = parseAddress('2001:db8:1:a::1') ?? new Uint8Array(16);
const octets = (hex: string): Uint8Array => fromHex(hex.replaceAll(' ', '')) ?? new Uint8Array();

/** RTM_NEWLINK of a loopback interface, little-endian, with name and MTU only. */
const LINK = octets(
  '30000000 1000 0000 00000000 00000000  00 00 0403 01000000 49000100 00000000  0700 0300 6c6f0000 0800 0400 00000100',
);

export const nodeTargets: Readonly<Record<string, Target>> = {
  'netlink address': {
    run: (bytes) => parseAddressMessage(bytes).ok,
    corpus: [
      writeAddressMessage(RTM_NEWADDR, 0, {
        index: 3,
        address,
        prefixLength: 64,
        flags: 0,
        validLifetimeSeconds: 100,
        preferredLifetimeSeconds: 50,
        protocol: 76,
      }),
    ],
  },
  'netlink link': { run: (bytes) => parseLink(bytes).ok, corpus: [LINK] },
  'netlink route': {
    run: (bytes) => parseRoute(bytes).ok,
    corpus: [
      writeRoute(RTM_NEWROUTE, 0, {
        table: 533,
        destination: { address, length: 128 },
        protocol: 76,
        index: 3,
        preferredSource: address,
        rtoMinMs: 50,
        mtu: 1492,
      }),
    ],
  },
  'netlink rule': {
    run: (bytes) => parseRule(bytes).ok,
    corpus: [writeRule(RTM_NEWRULE, 0, { priority: 100, table: 533, protocol: 76, source: address, mark: 0, mask: 1 })],
  },
  'netlink address label': {
    run: (bytes) => parseLabel(bytes).ok,
    corpus: [writeLabel(RTM_NEWADDRLABEL, 0, { prefix: address, prefixLength: 128, label: 7 })],
  },
  'nf_tables elements': {
    run: (bytes) => parseElements(bytes, 32, () => undefined).ok,
    corpus: [octets('18000000 0c0a 0200 00000000 00000000 0a000000')],
  },
};
