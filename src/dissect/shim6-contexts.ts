import { verifyLocators } from '../cga/signature.ts';
import { verifyCga } from '../cga/verify.ts';
import type { Crypto } from '../crypto/ports.ts';
import { METHOD_CGA } from '../shim6/locator-list.ts';
import type { I2, I2bis, R2, Shim6Message, UpdateRequest } from '../shim6/messages.ts';
import type { UlidPair } from '../shim6/options.ts';
import type { ContextTag } from '../shim6/tag.ts';
import { addressKey } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import type { CheckResult } from './entry.ts';

/** From where to where a packet went. */
export interface Way {
  readonly source: Address;
  readonly destination: Address;
}

/** A context as one tag names it: `receiver` allocated the tag, `sender` puts it into what it sends. */
type Tagged = UlidPair;

/** An I1, I2 or I2bis that an R2 can answer. */
interface Request {
  readonly ulids: UlidPair;
  readonly initiatorContextTag: ContextTag;
}

/** Messages that can hold a locator list with its signature. */
export type Signing = I2 | R2 | I2bis | UpdateRequest;

/** Requests that may still be answered: a flood of I1 must not fill the memory. */
const MAX_REQUESTS = 65_536;

/** What the messages of a capture tell of contexts, so that later ones can be understood. */
export class ContextsSeen {
  readonly #crypto: Crypto;
  /** By initiator nonce and pair (RFC 5533 §12.4), oldest first. */
  readonly #requests = new Map<string, Request>();
  /** The newest last: hosts choose tags independently of each other, and use them again. */
  readonly #tags = new Map<ContextTag, Tagged[]>();
  /** CGA parameters by the ULID that they make. */
  readonly #parameters = new Map<string, Uint8Array>();
  /** Locators by the ULID of their host, as it listed them. */
  readonly #locators = new Map<string, ReadonlySet<string>>();

  constructor(crypto: Crypto) {
    this.#crypto = crypto;
  }

  /** ULIDs of what went to `destination` with this tag; `undefined` when the capture does not tell. */
  ulids(tag: ContextTag, destination: Address): UlidPair | undefined {
    const known = this.#tags.get(tag) ?? [];
    if (known.length < 2) return known[0];
    const key = addressKey(destination);
    return known.findLast(({ receiver }) => {
      const ulid = addressKey(receiver);
      return ulid === key || this.#locators.get(ulid)?.has(key) === true;
    });
  }

  /** Take in a message without fault. */
  learn(message: Shim6Message, way: Way): void {
    switch (message.type) {
      case 'I1':
      case 'I2':
      case 'I2bis': {
        const ulids = message.options.ulidPair ?? { sender: way.source, receiver: way.destination };
        const { initiatorContextTag } = message;
        this.#remember(requestKey(message.initiatorNonce, way), { ulids, initiatorContextTag });
        if (message.type === 'I1') return; // nothing exists yet
        this.#name(initiatorContextTag, reversed(ulids));
        this.#learnHost(ulids.sender, message);
        return;
      }
      case 'R2': {
        const request = this.#requestOf(message, way);
        if (request === undefined) return;
        this.#name(request.initiatorContextTag, reversed(request.ulids));
        this.#name(message.responderContextTag, request.ulids);
        this.#learnHost(request.ulids.receiver, message);
        return;
      }
      case 'UpdateRequest': {
        const ulid = this.#ulidOfSender(message, way);
        if (ulid !== undefined) this.#learnHost(ulid, message);
        return;
      }
      default:
    }
  }

  /** Did the sender's key sign the list, RFC 5533 §5.15.5? Parameters may come from earlier messages. */
  signature(message: Signing, way: Way): CheckResult {
    const { locatorList: list, signature } = message.options;
    if (signature === undefined) return 'absent';
    const ulid = this.#ulidOfSender(message, way);
    if (list === undefined || ulid === undefined) return 'unknown';
    const parameters = message.options.parameters ?? this.#parameters.get(addressKey(ulid));
    if (parameters === undefined) return 'unknown';
    const locators = list.locators.filter(({ method }) => method === METHOD_CGA).map(({ address }) => address);
    const { generation } = list;
    return verifyLocators(this.#crypto, { ulid, parameters, generation, locators, signature }).valid ? 'good' : 'bad';
  }

  /** By the context, or because the parameters in the message make the source address. */
  #ulidOfSender(message: Signing, way: Way): Address | undefined {
    const ulid = this.#ulidByContext(message, way);
    if (ulid !== undefined) return ulid;
    const { parameters } = message.options;
    return parameters !== undefined && this.#makes(parameters, way.source) ? way.source : undefined;
  }

  #ulidByContext(message: Signing, way: Way): Address | undefined {
    switch (message.type) {
      case 'I2':
      case 'I2bis':
        return message.options.ulidPair?.sender ?? way.source;
      case 'R2':
        return this.#requestOf(message, way)?.ulids.receiver;
      case 'UpdateRequest':
        return this.ulids(message.receiverContextTag, way.destination)?.sender;
    }
  }

  #makes(parameters: Uint8Array, ulid: Address): boolean {
    return verifyCga(this.#crypto, ulid, parameters).valid;
  }

  #requestOf({ initiatorNonce }: R2, { source, destination }: Way): Request | undefined {
    return this.#requests.get(requestKey(initiatorNonce, { source: destination, destination: source }));
  }

  #remember(key: string, request: Request): void {
    this.#requests.delete(key);
    this.#requests.set(key, request);
    if (this.#requests.size <= MAX_REQUESTS) return;
    for (const oldest of this.#requests.keys()) {
      this.#requests.delete(oldest);
      break;
    }
  }

  #name(tag: ContextTag, tagged: Tagged): void {
    const others = (this.#tags.get(tag) ?? []).filter((other) => contextKey(other) !== contextKey(tagged));
    this.#tags.set(tag, [...others, tagged]);
  }

  #learnHost(ulid: Address, { options: { parameters, locatorList } }: Signing): void {
    const key = addressKey(ulid);
    if (parameters !== undefined && this.#makes(parameters, ulid)) this.#parameters.set(key, parameters);
    if (locatorList === undefined) return;
    this.#locators.set(key, new Set(locatorList.locators.map(({ address }) => addressKey(address))));
  }
}

function reversed({ sender, receiver }: UlidPair): UlidPair {
  return { sender: receiver, receiver: sender };
}

function contextKey({ sender, receiver }: UlidPair): string {
  return addressKey(sender) + addressKey(receiver);
}

function requestKey(nonce: number, { source, destination }: Way): string {
  return `${String(nonce)} ${addressKey(source)}${addressKey(destination)}`;
}
