import { addressKey } from '../wire/address.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { Instant } from '../wire/time.ts';

/** RFC 4291 §2.5.4: what routing looks at. */
const PREFIX_OCTETS = 8;

/** Another class that took the place of a class, as some context has proven. */
export interface Departure {
  readonly to: string;
  readonly at: Instant;
  /** Nothing that is sent on the old way arrives; otherwise only nothing comes in there. */
  readonly isDead: boolean;
}

/** What is known of one way between two networks, whoever's packets take it: own prefix and interface, and peer prefix. */
export class PathClass<Member> {
  readonly key: string;
  heardAt: Instant = -Infinity;
  departure: Departure | undefined;
  /** Contexts that explore for all, and until when others wait for them. */
  readonly leaders: Map<Member, Instant> = new Map<Member, Instant>();
  readonly waiting: Set<Member> = new Set<Member>();
  /** Who tests the way home for all. */
  home: { readonly by: Member; readonly at: Instant } | undefined;
  /** Leaders in turn that found nothing. */
  failures = 0;
  readonly peers: Map<string, PeerPath<Member>> = new Map<string, PeerPath<Member>>();

  constructor(key: string) {
    this.key = key;
  }
}

/** What is known of one peer host on such a way: all its identifiers have one key. */
export class PeerPath<Member> {
  readonly path: PathClass<Member>;
  readonly peer: string;
  heardAt: Instant = -Infinity;
  departure: Departure | undefined;
  /** When a Keepalive last went out. */
  vouchedAt: Instant = -Infinity;
  /** When a Keepalive last came in here, and the way of what it vouched for. */
  vouchedForAt: Instant = -Infinity;
  vouchedFor: PathClass<Member> | undefined;
  users = 0;

  constructor(path: PathClass<Member>, peer: string) {
    this.path = path;
    this.peer = peer;
  }
}

/** The class of a pair, as a `Map` key. */
export function pathClassKey({ local, peer }: LocatorPair, ownInterface: string): string {
  return addressKey(local).slice(0, PREFIX_OCTETS) + addressKey(peer).slice(0, PREFIX_OCTETS) + ownInterface;
}
