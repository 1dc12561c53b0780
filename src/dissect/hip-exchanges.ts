import { RHASH_LENGTH } from '../crypto/ports.ts';
import type { HipCrypto, Rhash } from '../crypto/ports.ts';
import { suiteOf } from '../esp/suites.ts';
import { decryptParameters, isHipCipher } from '../hip/hip-cipher.ts';
import { parseHostIdentity } from '../hip/host-identity.ts';
import type { HostIdentity } from '../hip/host-identity.ts';
import { Keymat, drawHipKeys, drawKeys } from '../hip/keymat.ts';
import type { DirectionKeys } from '../hip/keymat.ts';
import { hitSuiteOf, rhashOf, verifyHit } from '../hip/orchid.ts';
import { mac2Range, macRange, signedRange, signedRange2 } from '../hip/packet-ranges.ts';
import type { ReceivedPacket } from '../hip/packet.ts';
import { parameterOf } from '../hip/parameter.ts';
import type { HostId, Received, Solution } from '../hip/parameter.ts';
import { parseDecrypted } from '../hip/parameter-list.ts';
import { verifiesPuzzle } from '../hip/puzzle.ts';
import { addressPairKey, addressKey, sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import type { CheckResult, Checks } from './entry.ts';
import type { KeyLog, LoggedHipKeys } from './key-log.ts';

/** HITs of two ends of one direction. */
export interface Direction {
  readonly sender: Address;
  readonly receiver: Address;
}

/** What an I2 settled, until its R2. */
interface Agreed {
  readonly solution: Solution;
  readonly cipher: number | undefined;
  readonly espSuite: number | undefined;
  readonly spi: number | undefined;
}

/** Pairs of hosts that are remembered: a flood must not fill the memory. */
const MAX_REMEMBERED = 65_536;

/** What the HIP packets of a capture, and a log of keys, tell of associations, so that later ones can be verified. */
export class ExchangesSeen {
  readonly #crypto: HipCrypto;
  readonly #keys: KeyLog;
  /** By HIT, and only where the HIT is that of the Host Identity. */
  readonly #identities = new Map<string, HostIdentity>();
  /** The HOST_ID parameters of R1s as they came, by Responder: HIP_MAC_2 covers them. */
  readonly #hostIds = new Map<string, Uint8Array>();
  /** By Initiator and Responder. */
  readonly #agreed = new Map<string, Agreed>();
  /** Responders by the pair of HITs, the smaller one as it comes: the role lasts as long as the association. */
  readonly #responders = new Map<string, Address>();
  readonly #directions = new Map<number, Direction>();

  constructor(crypto: HipCrypto, keys: KeyLog) {
    this.#crypto = crypto;
    this.#keys = keys;
  }

  /** Whose packets carry this SPI, by the ESP_INFO parameters that were seen. */
  direction(spi: number): Direction | undefined {
    return this.#directions.get(spi);
  }

  /** The parameters inside ENCRYPTED, when its key is known. */
  decrypted(packet: ReceivedPacket): readonly Received[] | undefined {
    const encrypted = parameterOf(packet, 'ENCRYPTED');
    if (encrypted === undefined) return undefined;
    for (const { cipher, encryption } of this.#keysOf(packet)) {
      if (!isHipCipher(cipher)) continue;
      const plaintext = decryptParameters(this.#crypto, cipher, encryption, encrypted.ivAndCiphertext);
      const inside = plaintext && parseDecrypted(plaintext);
      if (inside?.ok === true) return inside.value;
    }
    return undefined;
  }

  /** Verify a packet with what it holds, what came before it, and the keys that are known. */
  checks(packet: ReceivedPacket): Checks {
    return {
      puzzle: this.#puzzle(packet),
      keymat: this.#keymat(packet),
      hipMac: this.#mac(packet, parameterOf(packet, 'HIP_MAC')?.mac, macRange(packet.octets)),
      hipMac2: this.#mac2(packet),
      signature: this.#signature(packet),
    };
  }

  /** Take in a packet without fault. */
  learn(packet: ReceivedPacket): void {
    const { type, senderHit, receiverHit } = packet;
    const hostId = this.#hostIdIn(packet);
    const identity = hostId && this.#identityIn(packet, hostId);
    if (identity !== undefined) remember(this.#identities, addressKey(senderHit), identity);
    if (type === 'R1' && hostId !== undefined) remember(this.#hostIds, addressKey(senderHit), hostId.octets);
    const spi = parameterOf(packet, 'ESP_INFO')?.newSpi;
    if (spi !== undefined && spi !== 0) remember(this.#directions, spi, { sender: receiverHit, receiver: senderHit });
    if (type === 'R1') remember(this.#responders, unorderedKey(packet), senderHit);
    if (type !== 'I2') return;
    remember(this.#responders, unorderedKey(packet), receiverHit);
    const solution = parameterOf(packet, 'SOLUTION');
    if (solution === undefined) return;
    remember(this.#agreed, addressPairKey(senderHit, receiverHit), {
      solution,
      cipher: parameterOf(packet, 'HIP_CIPHER')?.ciphers[0],
      espSuite: parameterOf(packet, 'ESP_TRANSFORM')?.suites[0],
      spi,
    });
  }

  /** RFC 7401 §6.3: only an I2 has a solution. */
  #puzzle(packet: ReceivedPacket): CheckResult {
    const solution = parameterOf(packet, 'SOLUTION');
    if (solution === undefined) return 'absent';
    const rhash = this.#rhash(packet);
    if (rhash === undefined) return 'unknown';
    const { k, i, j } = solution;
    const task = { rhash, k, i, j, initiator: packet.senderHit, responder: packet.receiverHit };
    return verdict(verifiesPuzzle(this.#crypto, task));
  }

  /** RFC 7401 §6.5: of I2, whether the log's HIP keys come of its KEYMAT; of R2 its ESP keys, RFC 7402 §7. */
  #keymat(packet: ReceivedPacket): CheckResult {
    if (packet.type !== 'I2' && packet.type !== 'R2') return 'absent';
    const { senderHit: own, receiverHit: peer } = packet;
    const agreed = packet.type === 'R2' ? this.#agreed.get(addressPairKey(peer, own)) : undefined;
    const solution = agreed?.solution ?? parameterOf(packet, 'SOLUTION');
    const rhash = this.#rhash(packet);
    if (solution === undefined || rhash === undefined) return 'unknown';
    const { i, j } = solution;
    const logged = this.#keys.keymats.find(({ salt }) => sameOctets(salt, Uint8Array.of(...i, ...j)));
    if (logged === undefined) return 'unknown';
    const keymat = new Keymat(this.#crypto, { rhash, sharedSecret: logged.secret, i, j, hits: [own, peer] });
    const expanded = keymat.octets(0, logged.keymat.length);
    if (expanded === undefined || !sameOctets(expanded, logged.keymat)) return 'bad';
    if (agreed !== undefined) return this.#espKeys(packet, agreed, keymat);
    return this.#hipKeys(packet, keymat, rhash);
  }

  #hipKeys(packet: ReceivedPacket, keymat: Keymat, rhash: Rhash): CheckResult {
    const { senderHit: own, receiverHit: peer } = packet;
    const cipher = parameterOf(packet, 'HIP_CIPHER')?.ciphers[0];
    const logged = this.#keysOf(packet);
    if (cipher === undefined || !isHipCipher(cipher) || logged.length === 0) return 'unknown';
    const drawn = drawHipKeys(keymat, cipher, rhash, { own, peer }).outgoing;
    return verdict(logged.some((keys) => isDrawn(drawn, { ...keys, authentication: keys.mac })));
  }

  #espKeys(packet: ReceivedPacket, { espSuite, spi }: Agreed, keymat: Keymat): CheckResult {
    const info = parameterOf(packet, 'ESP_INFO');
    const suite = espSuite === undefined ? undefined : suiteOf(espSuite);
    if (info === undefined || suite === undefined || spi === undefined) return 'unknown';
    const { encryptionKeyLength: encryption, authenticationKeyLength: authentication } = suite;
    const hits = { own: packet.senderHit, peer: packet.receiverHit };
    const drawn = drawKeys(keymat, info.keymatIndex, { encryption, authentication }, hits);
    if (drawn === undefined) return 'bad';
    const results = [
      { keys: drawn.outgoing, of: spi }, // RFC 7402 §5.1.1: an SPI is that of what its sender receives
      { keys: drawn.incoming, of: info.newSpi },
    ].map(({ keys, of }) => {
      const logged = this.#keys.associations.filter((one) => one.spi === of);
      return logged.length === 0 ? undefined : logged.some((one) => isDrawn(keys, one));
    });
    if (results.includes(false)) return 'bad';
    return results.includes(undefined) ? 'unknown' : 'good';
  }

  #mac(packet: ReceivedPacket, mac: Uint8Array | undefined, range: Uint8Array): CheckResult {
    if (mac === undefined) return 'absent';
    const rhash = this.#rhash(packet);
    const keys = this.#keysOf(packet);
    if (rhash === undefined || keys.length === 0) return 'unknown';
    return verdict(keys.some((key) => this.#crypto.equal(this.#crypto.mac(rhash, key.mac, range), mac)));
  }

  #mac2(packet: ReceivedPacket): CheckResult {
    const mac = parameterOf(packet, 'HIP_MAC_2')?.mac;
    if (mac === undefined) return 'absent';
    const hostId = this.#hostIds.get(addressKey(packet.senderHit));
    return hostId === undefined ? 'unknown' : this.#mac(packet, mac, mac2Range(packet.octets, hostId));
  }

  /** RFC 7401 §6.4.2, with the Host Identity in the packet or one that came before. */
  #signature(packet: ReceivedPacket): CheckResult {
    const second = parameterOf(packet, 'HIP_SIGNATURE_2');
    const signature = second ?? parameterOf(packet, 'HIP_SIGNATURE');
    if (signature === undefined) return 'absent';
    const hostId = this.#hostIdIn(packet);
    const identity =
      hostId === undefined ? this.#identities.get(addressKey(packet.senderHit)) : this.#identityIn(packet, hostId);
    if (identity === undefined) return hostId === undefined ? 'unknown' : this.#unusable(packet, hostId);
    const range = second === undefined ? signedRange(packet.octets) : signedRange2(packet.octets);
    const isOfItsKind = signature.algorithm === identity.algorithm;
    return verdict(isOfItsKind && this.#crypto.verify(identity.key, range, signature.signature));
  }

  /** A key that is of an unknown kind, or does not make the HIT. */
  #unusable({ senderHit }: ReceivedPacket, { algorithm, hostIdentity }: HostId): CheckResult {
    return hitSuiteOf(senderHit) !== undefined && parseHostIdentity(algorithm, hostIdentity).ok ? 'bad' : 'unknown';
  }

  #hostIdIn(packet: ReceivedPacket): Received<HostId> | undefined {
    const inside = this.decrypted(packet);
    return parameterOf(packet, 'HOST_ID') ?? (inside && parameterOf({ parameters: inside }, 'HOST_ID'));
  }

  #identityIn({ senderHit }: ReceivedPacket, { algorithm, hostIdentity }: HostId): HostIdentity | undefined {
    const parsed = parseHostIdentity(algorithm, hostIdentity);
    return parsed.ok && verifyHit(this.#crypto, senderHit, parsed.value) ? parsed.value : undefined;
  }

  #keysOf({ senderHit, receiverHit }: ReceivedPacket): readonly LoggedHipKeys[] {
    return this.#keys.hipKeys.filter(
      ({ sender, receiver }) => sameOctets(sender, senderHit) && sameOctets(receiver, receiverHit),
    );
  }

  /** RFC 7401 §5.2.10: by the Responder's suite. Where the exchange was not captured, by the length of the MAC's key. */
  #rhash(packet: ReceivedPacket): Rhash | undefined {
    const responder = this.#responderOf(packet);
    const suite = responder && hitSuiteOf(responder);
    if (suite !== undefined) return rhashOf(suite);
    const length = this.#keysOf(packet)[0]?.mac.length;
    return (['sha1', 'sha256', 'sha384'] as const).find((rhash) => RHASH_LENGTH[rhash] === length);
  }

  #responderOf(packet: ReceivedPacket): Address | undefined {
    if (packet.type === 'I1' || packet.type === 'I2') return packet.receiverHit;
    if (packet.type === 'R1' || packet.type === 'R2') return packet.senderHit;
    return this.#responders.get(unorderedKey(packet));
  }
}

function verdict(isGood: boolean): CheckResult {
  return isGood ? 'good' : 'bad';
}

function isDrawn(drawn: DirectionKeys, logged: DirectionKeys): boolean {
  return sameOctets(drawn.encryption, logged.encryption) && sameOctets(drawn.authentication, logged.authentication);
}

/** The same for both directions. */
function unorderedKey({ senderHit, receiverHit }: ReceivedPacket): string {
  const [one, other] = [addressKey(senderHit), addressKey(receiverHit)];
  return one < other ? one + other : other + one;
}

/** The newest last; the oldest goes when there are too many. */
function remember<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= MAX_REMEMBERED) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
