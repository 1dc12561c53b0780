import { IPv6CidrRange } from 'ip-num';
import type { HostLocator } from '../host/host-io.ts';
import type { Approach, PeerPolicy } from '../host/peer-policy.ts';
import { nodeCrypto } from '../node/crypto.ts';
import type { Address } from '../wire/address.ts';
import { toHex } from '../wire/hex.ts';
import type { PeerConfig, PolicyConfig } from './config.ts';
import { contains, matchesInterface, peerFilter } from './selection.ts';

interface Rule extends PeerConfig {
  readonly range: IPv6CidrRange | undefined;
}

/** The `[[peer]]` tables in their order, and `allow` and `deny` for whom none of them is about. */
export class PeerRules implements PeerPolicy {
  readonly #rules: readonly Rule[];
  readonly #otherwise: (peer: Address) => boolean;

  constructor(peers: readonly PeerConfig[], policy: PolicyConfig) {
    this.#rules = peers.map((peer) => ({
      ...peer,
      range: peer.prefix === undefined ? undefined : IPv6CidrRange.fromCidr(peer.prefix),
    }));
    this.#otherwise = peerFilter(policy);
  }

  admits(approach: Approach): boolean {
    const rule = this.#rules.find((one) => isAbout(one, approach));
    return rule?.accept ?? this.#otherwise(approach.peer);
  }

  announces(peer: Address, locator: HostLocator): boolean {
    const rule = this.#rules.find((one) => one.announce !== undefined && isWithin(one, peer));
    return rule?.announce?.some((pattern) => matchesInterface(pattern, locator.interface)) ?? true;
  }
}

function isAbout(rule: Rule, { peer, interface: arrival, publicKey }: Approach): boolean {
  if (!isWithin(rule, peer)) return false;
  if (rule.interface !== undefined && (arrival === undefined || !matchesInterface(rule.interface, arrival)))
    return false;
  if (rule.key === undefined) return true;
  if (publicKey === undefined) return rule.accept; // an I1: the key that decides comes with the I2
  return publicKey !== null && toHex(nodeCrypto.sha256(publicKey)) === rule.key;
}

function isWithin({ range }: Rule, peer: Address): boolean {
  return range === undefined || contains(range, peer);
}
