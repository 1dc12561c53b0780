import type { DhKeyPair, HipCrypto, Rhash } from '../crypto/ports.ts';
import type { Instant } from '../wire/time.ts';
import type { HipPath, PeerAgreement, SaHalf } from './association-io.ts';
import { Credit } from './credit.ts';
import type { HostIdentity } from './host-identity.ts';
import { IdWindow } from './id-window.ts';
import { Keymat, drawKeys } from './keymat.ts';
import type { DrawnKeys } from './keymat.ts';
import type { LociOffer } from './negotiation.ts';
import type { OwnIdentity } from './orchid.ts';
import type { Hit } from './parameter.ts';
import { PeerLocators } from './peer-locators.ts';
import type { Rekey } from './rekey-state.ts';
import type { MacKey } from './seal.ts';
import type { EspSuite, HipSettings } from './settings.ts';
import { UpdateQueue } from './update-queue.ts';

/** What a base exchange came to. */
export interface Agreement {
  readonly own: OwnIdentity;
  readonly peerHit: Hit;
  readonly peer: HostIdentity;
  readonly isAnonymous: boolean;
  /** Of the Responder's suite, for the association's whole life (RFC 7401 §5.2.10). */
  readonly rhash: Rhash;
  readonly i: Uint8Array;
  readonly j: Uint8Array;
  readonly dh: DhKeyPair;
  readonly peerPublic: Uint8Array;
  readonly keymat: Keymat;
  readonly hipKeys: DrawnKeys;
  readonly suite: EspSuite;
  readonly offer: LociOffer | undefined;
}

/** Frames of REAP may be lost in any number: the counter may jump far. */
const REAP_WINDOW_AHEAD = 0x7fff_ffff;

/** An association that has keys, RFC 7401 §6.5, RFC 7402 §6.10, RFC 8046 §5.1. */
export class Session {
  readonly agreement: Agreement;
  readonly updates: UpdateQueue;
  readonly peers: PeerLocators;
  readonly credit: Credit;
  readonly reapSeen: IdWindow = new IdWindow(REAP_WINDOW_AHEAD);
  /** Replaced only when a rekey is finished (HIP-426). */
  dh: DhKeyPair;
  peerPublic: Uint8Array;
  keymat: Keymat;
  /** KEYMAT Index of the first octet not drawn. */
  nextIndex: number;
  spiIn: number;
  spiOut: number;
  path: HipPath;
  rekey: Rekey | undefined;
  /** Of an earlier rekey: kept for packets that are late. */
  readonly old: { readonly direction: 'in' | 'out'; readonly spi: number; readonly until: Instant }[] = [];
  reapCounter = 0;
  rttMs: number | undefined;
  /** Addresses that the peer was told, in a form to compare. */
  told = '';
  /** A rekey that waits for another UPDATE to be answered. */
  wantsRekey: { readonly withDh: boolean } | undefined;

  constructor(
    agreement: Agreement,
    spis: { readonly in: number; readonly out: number },
    nextIndex: number,
    path: HipPath,
    settings: HipSettings,
    now: Instant,
  ) {
    this.agreement = agreement;
    this.dh = agreement.dh;
    this.peerPublic = agreement.peerPublic;
    this.keymat = agreement.keymat;
    this.nextIndex = nextIndex;
    this.spiIn = spis.in;
    this.spiOut = spis.out;
    this.path = path;
    this.peers = new PeerLocators(path.peer, settings.maxPeerLocators);
    this.credit = new Credit(now);
    this.updates = new UpdateQueue(settings);
  }

  get hits(): { readonly own: Hit; readonly peer: Hit } {
    return { own: this.agreement.own.hit, peer: this.agreement.peerHit };
  }

  /** Whether the peer receives, or received a moment ago, or is about to receive on this SPI. */
  knowsOut(spi: number): boolean {
    const isOld = this.old.some((sa) => sa.direction === 'out' && sa.spi === spi);
    return spi === this.spiOut || isOld || spi === this.rekey?.theirs?.spi;
  }

  /** For what this host sends, RFC 7401 §6.4.1. */
  macKey(crypto: HipCrypto): MacKey {
    return { crypto, rhash: this.agreement.rhash, key: this.agreement.hipKeys.outgoing.authentication };
  }

  peerMacKey(crypto: HipCrypto): MacKey {
    return { crypto, rhash: this.agreement.rhash, key: this.agreement.hipKeys.incoming.authentication };
  }

  describe(settings: HipSettings): PeerAgreement {
    const { peerHit, peer, isAnonymous, offer } = this.agreement;
    const detectionMs = settings.detectionMs === undefined ? undefined : offer?.detectionMs;
    return {
      hit: peerHit,
      identity: peer,
      isAnonymous,
      detectionMs,
      reap: detectionMs !== undefined,
      udp: settings.offersUdp && offer?.udp === true,
    };
  }
}

/** KEYMAT of an exchange, RFC 7401 §6.5; `undefined` for a public value that is no element of the group. */
export function keymatOf(
  crypto: HipCrypto,
  rhash: Rhash,
  { i, j }: { readonly i: Uint8Array; readonly j: Uint8Array },
  dh: DhKeyPair,
  peerPublic: Uint8Array,
  hits: readonly [Hit, Hit],
): Keymat | undefined {
  const sharedSecret = dh.sharedSecret(peerPublic);
  return sharedSecret === undefined ? undefined : new Keymat(crypto, { rhash, sharedSecret, i, j, hits });
}

/** RFC 7402 §5.1.1: an index has 16 bits; KEYMAT may end before. */
export function hasRoom(keymat: Keymat, index: number, suite: EspSuite): boolean {
  const end = index + 2 * (suite.encryptionKeyLength + suite.authenticationKeyLength);
  return index <= 0xffff && end <= keymat.length;
}

/** ESP keys of both directions from a KEYMAT Index on, RFC 7402 §7. */
export function drawEspKeys(
  keymat: Keymat,
  index: number,
  suite: EspSuite,
  hits: { readonly own: Hit; readonly peer: Hit },
): DrawnKeys | undefined {
  const { encryptionKeyLength: encryption, authenticationKeyLength: authentication } = suite;
  return drawKeys(keymat, index, { encryption, authentication }, hits);
}

/** One half of what to install. */
export function saHalf(
  direction: 'in' | 'out',
  spi: number,
  suite: EspSuite,
  keys: DrawnKeys,
  hasShortNumbers: boolean,
): SaHalf {
  return {
    direction,
    spi,
    suite: suite.id,
    keys: direction === 'in' ? keys.incoming : keys.outgoing,
    hasShortNumbers,
  };
}
