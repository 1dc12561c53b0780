import { findMultiPrefix } from '../cga/extensions.ts';
import { verifyHba } from '../cga/hba.ts';
import { MODIFIER_LENGTH, PREFIX_LENGTH, parseCgaParameters } from '../cga/parameters.ts';
import { verifyLocators, verifySigningKey } from '../cga/signature.ts';
import { verifyCga } from '../cga/verify.ts';
import type { Crypto } from '../crypto/ports.ts';
import type { Address } from '../wire/address.ts';
import { Writer } from '../wire/writer.ts';
import { METHOD_CGA, METHOD_HBA, locatorListLength, writeLocatorList } from './locator-list.ts';
import type { LocatorList } from './locator-list.ts';
import { recall } from './recent.ts';
import { SharedFacts } from './shared-facts.ts';

/** A locator list as the peer sent it, with what is to prove it. */
export interface Claim {
  readonly ulid: Address;
  /** The CGA Parameter Data Structure of the ULID, from this message or an earlier one. */
  readonly parameters: Uint8Array | undefined;
  readonly list: LocatorList;
  readonly signature: Uint8Array | undefined;
}

/** Every locator belongs to the ULID, or the first one that does not. */
export type ListVerdict = { readonly valid: true } | { readonly valid: false; readonly index: number };

/** Verdicts remembered: contexts with one peer host share them. */
const MAX_REMEMBERED = 1024;

/**
 * Binding of locators to ULIDs, RFC 5533 §7.2 (1). One for all contexts of a host: a list that a peer sends in a thousand
 * contexts is verified once, bad ones included.
 */
export class PeerVerifier {
  readonly facts: SharedFacts = new SharedFacts();
  readonly #crypto: Crypto;
  readonly #lists = new Map<string, ListVerdict>();
  readonly #parameters = new Map<string, boolean>();
  #made = 0;

  constructor(crypto: Crypto) {
    this.#crypto = crypto;
  }

  /** Verifications done rather than remembered. */
  get made(): number {
    return this.#made;
  }

  /** §7.13: do these parameters correspond to this ULID? By RFC 3972 §5, or as a member of their set by RFC 5535 §7.2. */
  ownsUlid(ulid: Address, parameters: Uint8Array): boolean {
    const key = this.#key([ulid, parameters]);
    return this.#remembered(this.#parameters, key, () => parametersFor(this.#crypto, ulid, parameters) !== undefined);
  }

  /** The whole list at once: §7.2 ignores a message in which one locator does not verify. */
  verify(claim: Claim): ListVerdict {
    const { ulid, parameters, list, signature } = claim;
    if (parameters === undefined) return { valid: false, index: 0 };
    const w = new Writer(locatorListLength(list));
    writeLocatorList(w, list);
    const key = this.#key([ulid, parameters, w.finish(), signature ?? NONE]);
    return this.#remembered(this.#lists, key, () => this.#verifyList({ ...claim, parameters }));
  }

  #verifyList({ ulid, parameters, list, signature }: Claim & { readonly parameters: Uint8Array }): ListVerdict {
    const supported = new Set<number>();
    if (hasMultiPrefix(parameters)) supported.add(METHOD_HBA);
    if (signature !== undefined && verifySigningKey(parameters).valid) supported.add(METHOD_CGA);
    const unsupported = list.locators.findIndex(({ method }) => !supported.has(method)); // cheap, hence first
    if (unsupported >= 0) return { valid: false, index: unsupported };
    const alien = list.locators.findIndex(
      ({ address, method }) => method === METHOD_HBA && !verifyHba(this.#crypto, address, parameters).valid,
    );
    if (alien >= 0) return { valid: false, index: alien };
    const signed = list.locators.filter(({ method }) => method === METHOD_CGA).map(({ address }) => address);
    if (signed.length === 0 || signature === undefined) return { valid: true };
    const own = parametersFor(this.#crypto, ulid, parameters) ?? parameters;
    const claim = { ulid, parameters: own, generation: list.generation, locators: signed, signature };
    if (verifyLocators(this.#crypto, claim).valid) return { valid: true };
    return { valid: false, index: list.locators.findIndex(({ method }) => method === METHOD_CGA) };
  }

  #remembered<T>(memory: Map<string, T>, key: string, verdict: () => T): T {
    return recall(memory, key, MAX_REMEMBERED, () => {
      this.#made += 1;
      return verdict();
    });
  }

  #key(parts: readonly Uint8Array[]): string {
    const w = new Writer(parts.reduce((length, part) => length + 2 + part.length, 0));
    for (const part of parts) {
      w.u16(part.length);
      w.octets(part);
    }
    return String.fromCharCode(...this.#crypto.sha256(w.finish()));
  }
}

const NONE = new Uint8Array(0);

/** The parameters that prove `ulid`: these, or those of another member of its set with the prefix replaced (RFC 5535 §7.2 step 1). */
function parametersFor(crypto: Crypto, ulid: Address, parameters: Uint8Array): Uint8Array | undefined {
  if (verifyCga(crypto, ulid, parameters).valid) return parameters;
  if (!verifyHba(crypto, ulid, parameters).valid) return undefined;
  const own = parameters.slice();
  own.set(ulid.subarray(0, PREFIX_LENGTH), MODIFIER_LENGTH);
  return own;
}

function hasMultiPrefix(parameters: Uint8Array): boolean {
  const parsed = parseCgaParameters(parameters);
  return parsed.ok && findMultiPrefix(parsed.value.extensions) !== undefined;
}
