import {
  extensionsLength,
  findMultiPrefix,
  multiPrefixLength,
  parseExtensions,
  writeExtensions,
  writeMultiPrefix,
} from '../../../src/cga/extensions.ts';
import { verifyHba } from '../../../src/cga/hba.ts';
import { encodeCgaParameters, parseCgaParameters } from '../../../src/cga/parameters.ts';
import { signedOctets, verifyLocators } from '../../../src/cga/signature.ts';
import { verifyCga } from '../../../src/cga/verify.ts';
import { verifyLine } from '../../../src/cli/cga.ts';
import { encodeRsaPublicKey, parseRsaPublicKey } from '../../../src/crypto/rsa-key.ts';
import { nodeCrypto } from '../../../src/node/crypto.ts';
import { sameOctets } from '../../../src/wire/address.ts';
import { Writer } from '../../../src/wire/writer.ts';
import { exampleKey, hex, ip, signed, vectors } from '../../cga/vectors.ts';
import type { Target } from '../targets.ts';
import { text } from './wire.ts';

const parameters = [...vectors.cga.slice(0, 12), ...vectors.hba.slice(0, 4)].map((row) => hex(row.cga_params_hex));

/** Inputs of verification: 16 octets of address, then the parameters. */
const behind = (address: string, params: string): Uint8Array => Uint8Array.of(...ip(address), ...hex(params));
const cgas = vectors.cga.slice(0, 12).map((row) => behind(row.independent_address, row.cga_params_hex));
const hbas = vectors.hba.slice(0, 4).map((row) => behind(row.independent_addresses[0] ?? '::', row.cga_params_hex));

function mustEqual(a: Uint8Array, b: Uint8Array): void {
  if (!sameOctets(a, b)) throw new Error('does not write what it read');
}

export const cgaTargets: Readonly<Record<string, Target>> = {
  'RSA public key': {
    run: (bytes) => {
      const parsed = parseRsaPublicKey(bytes);
      if (parsed.ok) mustEqual(encodeRsaPublicKey(parsed.value), bytes);
      nodeCrypto.verifyRsaSha1(bytes, bytes, signed.signature);
      return parsed.ok;
    },
    corpus: [exampleKey, ...vectors.cga.slice(0, 20).map((row) => hex(row.spki_hex))],
  },
  'CGA parameters': {
    run: (bytes) => {
      const parsed = parseCgaParameters(bytes);
      if (parsed.ok) mustEqual(encodeCgaParameters(parsed.value), bytes);
      return parsed.ok;
    },
    corpus: parameters,
  },
  'CGA extensions': {
    run: (bytes) => {
      const parsed = parseExtensions(bytes);
      if (!parsed.ok) return false;
      const w = new Writer(extensionsLength(parsed.value));
      writeExtensions(w, parsed.value);
      mustEqual(w.finish(), bytes);
      const multiPrefix = findMultiPrefix(bytes);
      if (multiPrefix === undefined) return false;
      writeMultiPrefix(new Writer(multiPrefixLength(multiPrefix)), multiPrefix);
      return true;
    },
    corpus: [...vectors.cga.map((row) => hex(row.ext_hex)), ...vectors.hba.map((row) => hex(row.mpe_hex))],
  },
  'CGA verification': {
    run: (bytes) => verifyCga(nodeCrypto, bytes.subarray(0, 16), bytes.subarray(16)).valid,
    corpus: cgas,
  },
  'HBA verification': {
    run: (bytes) => verifyHba(nodeCrypto, bytes.subarray(0, 16), bytes.subarray(16)).valid,
    corpus: hbas,
  },
  /** Locators, then signature; the parameters stay genuine, or the CGA check would end it all. */
  'CGA signature': {
    run: (bytes) => {
      const locators = [bytes.slice(0, 16), bytes.slice(16, 32)].filter(({ length }) => length === 16);
      const verdict = verifyLocators(nodeCrypto, { ...signed, locators, signature: bytes.slice(32) });
      if (!verdict.valid) return false;
      mustEqual(signedOctets(signed.generation, locators), signedOctets(signed.generation, signed.locators));
      return true;
    },
    corpus: [Uint8Array.of(...signed.locators.flatMap((locator) => [...locator]), ...signed.signature)],
  },
  'loci cga verify': {
    isSlow: true,
    run: (bytes) => verifyLine(new TextDecoder().decode(bytes)).valid,
    corpus: vectors.cga
      .slice(0, 8)
      .map((row) => text(JSON.stringify({ params: row.cga_params_hex, address: row.independent_address }))),
  },
};
