import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { Sec } from '../cga/hash.ts';
import { encodeCgaParameters } from '../cga/parameters.ts';
import { MIN_HIP_RSA_BITS, newHipKey, ownIdentityOf, writeHipKeyFile } from '../daemon/hip-keys.ts';
import { addressOf, newCgaKey, newHbaKey, writeKeyFile } from '../daemon/keys.ts';
import type { IdentityKey, Search } from '../daemon/keys.ts';
import { formatSubnetPrefix, parseSubnetPrefix } from '../daemon/prefix.ts';
import { refuseExisting } from '../daemon/private-file.ts';
import { isAuthority } from '../hip/det.ts';
import type { DetDomain } from '../hip/det.ts';
import { MAX_GENERATED_BITS, MIN_GENERATED_BITS, nodeCrypto } from '../node/crypto.ts';
import { LociError } from '../node/error.ts';
import type { IdentityKind } from '../node/hip-crypto.ts';
import { searchModifier } from '../node/modifier-search.ts';
import { formatAddress } from '../wire/address.ts';
import { toHex } from '../wire/hex.ts';
import { describeIdentity, identityText } from './hip-identity.ts';

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

/** `loci keygen cga`, `loci keygen hba` and `loci keygen hip`. */
export function registerKeygen(program: Command, ports: KeygenPorts = outside): void {
  const keygen = program
    .command('keygen')
    .description('make an identity: a key file from which locid forms its addresses, or its HIT');

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

  keygen
    .command('hip')
    .description('the key of a Host Identity, whose HIT programs talk to (RFC 7401)')
    .requiredOption('--out <file>', 'the key file to write')
    .addOption(
      new Option('--algorithm <name>', 'ecdsa-low is weak; ed25519 (RFC 9374) is for peers that run Loci too')
        .choices(Object.keys(HIP_ALGORITHMS))
        .default('ecdsa-p256'),
    )
    .addOption(
      new Option('--bits <n>', `length of an RSA key; ${String(MIN_HIP_RSA_BITS)} unless given`).argParser(bitsOf),
    )
    .addOption(
      new Option('--det <raa,hda>', 'with ed25519: a DET of these authorities instead of a HIT').argParser(domainOf),
    )
    .option('--force', 'replace an existing file')
    .option('--json', 'print one JSON document')
    .action(async (options: HipOptions) => {
      await makeHip(options, ports);
    });
}

/** Names of `--algorithm`. */
const HIP_ALGORITHMS: Readonly<Record<string, IdentityKind>> = {
  'ecdsa-p256': 'P-256',
  'ecdsa-p384': 'P-384',
  rsa: 'rsa',
  'ecdsa-low': 'secp160r1',
  ed25519: 'ed25519',
};

interface HipOptions {
  readonly out: string;
  readonly algorithm: string;
  readonly bits?: number;
  readonly det?: DetDomain;
  readonly force?: boolean;
  readonly json?: boolean;
}

async function makeHip({ out, algorithm, bits, det, force, json }: HipOptions, ports: KeygenPorts): Promise<void> {
  const kind = HIP_ALGORITHMS[algorithm] ?? 'P-256';
  if (bits !== undefined && kind !== 'rsa') throw new LociError('usage', '--bits is for --algorithm rsa');
  if (det !== undefined && kind !== 'ed25519') throw new LociError('usage', '--det is for --algorithm ed25519');
  if (force !== true) refuseExisting(out);
  const key = await newHipKey(kind, bits, det);
  writeHipKeyFile(out, key, { force: force === true });
  const { hit, identity } = ownIdentityOf(key);
  const document = { file: out, kind: 'hip', ...describeIdentity(hit, identity) };
  ports.print(json === true ? `${JSON.stringify(document)}\n` : `${out}: ${identityText(hit, identity)}`);
}

function domainOf(text: string): DetDomain {
  const [, raa, hda] = /^(\d{1,5}),(\d{1,5})$/.exec(text) ?? [];
  const domain = { raa: Number(raa), hda: Number(hda) };
  if (!isAuthority(domain.raa) || !isAuthority(domain.hda)) {
    throw new InvalidArgumentError('Two numbers from 0 to 16383, such as 10,20.');
  }
  return domain;
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
