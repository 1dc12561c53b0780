import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { Sec } from '../cga/hash.ts';
import { encodeCgaParameters } from '../cga/parameters.ts';
import { addressOf, newCgaKey, newHbaKey, writeKeyFile } from '../daemon/keys.ts';
import type { IdentityKey, Search } from '../daemon/keys.ts';
import { formatSubnetPrefix, parseSubnetPrefix } from '../daemon/prefix.ts';
import { refuseExisting } from '../daemon/private-file.ts';
import { MAX_GENERATED_BITS, MIN_GENERATED_BITS, nodeCrypto } from '../node/crypto.ts';
import { searchModifier } from '../node/modifier-search.ts';
import { formatAddress } from '../wire/address.ts';
import { toHex } from '../wire/hex.ts';

/** What the commands reach for outside. */
export interface KeygenPorts {
  readonly print: (text: string) => void;
  readonly search: Search;
}

interface KeygenOptions {
  readonly out: string;
  readonly sec: Sec;
  readonly bits: number;
  readonly prefix?: readonly Uint8Array[];
  readonly force?: boolean;
  readonly json?: boolean;
}

const outside: KeygenPorts = { print: (text) => process.stdout.write(text), search: searchModifier };

/** `loci keygen cga` and `loci keygen hba`. */
export function registerKeygen(program: Command, ports: KeygenPorts = outside): void {
  const keygen = program
    .command('keygen')
    .description('make an identity: a key file from which locid forms its addresses');

  withCommonOptions(keygen.command('cga').description('a key for cryptographically generated addresses (RFC 3972)'))
    .addOption(prefixOption('a prefix to show the address of; repeatable'))
    .action(async (options: KeygenOptions) => {
      await make(options, ports, () => newCgaKey({ ...options, search: ports.search }));
    });

  withCommonOptions(keygen.command('hba').description('a set of hash-based addresses for fixed prefixes (RFC 5535)'))
    .addOption(prefixOption('a prefix of the set; repeatable, in order').makeOptionMandatory())
    .option('--with-key', 'a CGA/HBA set: its addresses can also sign for other locators')
    .action(async (options: KeygenOptions & { readonly withKey?: boolean }) => {
      const { prefix: prefixes = [], withKey = false } = options;
      await make(options, ports, () => newHbaKey({ ...options, prefixes, withKey, search: ports.search }));
    });
}

async function make(options: KeygenOptions, ports: KeygenPorts, key: () => Promise<IdentityKey>): Promise<void> {
  if (options.force !== true) refuseExisting(options.out); // before the search, not after it
  const made = await key();
  writeKeyFile(options.out, made, { force: options.force === true });
  ports.print(options.json === true ? `${JSON.stringify(describe(made, options))}\n` : text(made, options));
}

function describe(key: IdentityKey, { out, prefix = [] }: KeygenOptions): object {
  return {
    file: out,
    kind: key.kind,
    sec: key.sec,
    modifier: toHex(key.modifier),
    publicKey: toHex(key.publicKey),
    fingerprint: fingerprint(key),
    canSign: key.privateKey !== undefined,
    addresses: addresses(key, prefix),
  };
}

function text(key: IdentityKey, { out, prefix = [] }: KeygenOptions): string {
  const lines = addresses(key, prefix).map((row) => `  ${row.prefix}  ${row.address}`);
  return [`${out}: ${key.kind}, Sec ${String(key.sec)}, key ${fingerprint(key)}`, ...lines, ''].join('\n');
}

/** What `[[peer]] key` of other hosts names it by. */
function fingerprint(key: IdentityKey): string {
  return toHex(nodeCrypto.sha256(key.publicKey));
}

interface AddressRow {
  readonly prefix: string;
  readonly address: string;
  /** CGA Parameters as `loci cga verify` takes them. */
  readonly params: string;
}

function addresses(key: IdentityKey, prefixes: readonly Uint8Array[]): AddressRow[] {
  return prefixes.flatMap((prefix) => {
    const cga = addressOf(nodeCrypto, key, prefix);
    if (cga === undefined) return [];
    const params = toHex(encodeCgaParameters(cga.parameters));
    return [{ prefix: formatSubnetPrefix(prefix), address: formatAddress(cga.address), params }];
  });
}

function withCommonOptions(command: Command): Command {
  return command
    .requiredOption('--out <file>', 'the key file to write')
    .addOption(
      new Option('--sec <n>', 'cost of forging: 0 none extra, 1 tenths of a second to make, 2 an hour or more')
        .default(0)
        .argParser(secOf),
    )
    .addOption(new Option('--bits <n>', 'length of the RSA key').default(MIN_GENERATED_BITS).argParser(bitsOf))
    .option('--force', 'replace an existing file')
    .option('--json', 'print one JSON document');
}

function prefixOption(description: string): Option {
  return new Option('--prefix <prefix>', `${description}, such as 2001:db8:a:1::/64`).argParser(
    (text: string, before: readonly Uint8Array[] = []) => {
      const prefix = parseSubnetPrefix(text);
      if (prefix === undefined) throw new InvalidArgumentError('Not an IPv6 /64 prefix.');
      if (before.some((other) => toHex(other) === toHex(prefix))) throw new InvalidArgumentError('Given twice.');
      return [...before, prefix];
    },
  );
}

function secOf(text: string): Sec {
  if (text === '0') return 0;
  if (text === '1') return 1;
  if (text === '2') return 2;
  throw new InvalidArgumentError('Sec is 0, 1 or 2.');
}

function bitsOf(text: string): number {
  const bits = Number(text);
  if (!Number.isInteger(bits) || bits < MIN_GENERATED_BITS || bits > MAX_GENERATED_BITS) {
    throw new InvalidArgumentError(`From ${String(MIN_GENERATED_BITS)} to ${String(MAX_GENERATED_BITS)}.`);
  }
  return bits;
}
