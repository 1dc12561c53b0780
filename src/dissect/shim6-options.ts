import { findMultiPrefix } from '../cga/extensions.ts';
import { PREFIX_LENGTH, parseCgaParameters } from '../cga/parameters.ts';
import { METHOD_CGA, METHOD_HBA } from '../shim6/locator-list.ts';
import { readOption, understand } from '../shim6/options.ts';
import type { OptionName, Shim6Options, UnknownOption } from '../shim6/options.ts';
import { ADDRESS_LENGTH, formatAddress } from '../wire/address.ts';
import { toHex } from '../wire/hex.ts';
import type { Reader } from '../wire/reader.ts';
import type { DissectedOption, Fields } from './entry.ts';

/** Every option that `r` still holds, RFC 5533 §5.15, up to the first one that is cut off. */
export function dissectOptions(r: Reader): DissectedOption[] {
  const options: DissectedOption[] = [];
  while (r.left > 0) {
    const option = readOption(r);
    if (!r.failed) options.push(dissectOption(option));
  }
  return options;
}

function dissectOption(option: UnknownOption): DissectedOption {
  const { type, critical, body } = option;
  const plain = { type, critical, length: body.length };
  const understood = understand(option);
  if (understood === undefined) return { ...plain, body: toHex(body) };
  const { name, contents } = understood;
  const fields = contents.ok ? FIELDS[name](contents.value) : undefined;
  return { ...plain, name, ...(fields === undefined ? {} : { fields }), body: toHex(body) };
}

/** What the contents of each option say, by name; nothing for octets that only their maker understands. */
const FIELDS: { readonly [Name in OptionName]: (options: Shim6Options) => Fields | undefined } = {
  responderValidator: () => undefined,
  locatorList: ({ locatorList: list }) =>
    list && {
      generation: list.generation,
      locators: list.locators.map(({ address, method }) => ({
        address: formatAddress(address),
        method: METHOD_NAMES.get(method) ?? method,
      })),
    },
  locatorPreferences: ({ locatorPreferences: preferences }) =>
    preferences && {
      generation: preferences.generation,
      elements: preferences.elements.map(({ broken, transient, priority, weight }) => ({
        broken,
        transient,
        priority,
        weight,
      })),
    },
  parameters: ({ parameters }) => parameters && parameterFields(parameters),
  signature: () => undefined,
  ulidPair: ({ ulidPair }) =>
    ulidPair && { sender: formatAddress(ulidPair.sender), receiver: formatAddress(ulidPair.receiver) },
  forkedInstanceId: ({ forkedInstanceId }) => named('forkedInstanceId', forkedInstanceId),
  keepaliveTimeout: ({ keepaliveTimeout }) => named('timeoutSeconds', keepaliveTimeout),
  detection: ({ detection }) => named('sendTimeoutMs', detection?.sendTimeoutMs),
  pathTest: () => undefined,
};

const METHOD_NAMES: ReadonlyMap<number, string> = new Map([
  [METHOD_HBA, 'hba'],
  [METHOD_CGA, 'cga'],
]);

function named(name: string, value: number | undefined): Fields | undefined {
  return value === undefined ? undefined : { [name]: value };
}

/** RFC 3972 §3, and the Multi-Prefix extension of RFC 5535 §5. */
function parameterFields(octets: Uint8Array): Fields | undefined {
  const parsed = parseCgaParameters(octets);
  if (!parsed.ok) return undefined;
  const { modifier, subnetPrefix, collisionCount, publicKey, extensions } = parsed.value;
  const multiPrefix = findMultiPrefix(extensions);
  return {
    modifier: toHex(modifier),
    subnetPrefix: prefixText(subnetPrefix),
    collisionCount,
    publicKey: toHex(publicKey),
    ...(multiPrefix && {
      multiPrefix: { hasPublicKey: multiPrefix.hasPublicKey, prefixes: multiPrefix.prefixes.map(prefixText) },
    }),
  };
}

function prefixText(prefix: Uint8Array): string {
  const address = new Uint8Array(ADDRESS_LENGTH);
  address.set(prefix);
  return `${formatAddress(address)}/${String(8 * PREFIX_LENGTH)}`;
}
