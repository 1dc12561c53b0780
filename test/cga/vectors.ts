import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { SignedLocators } from '../../src/cga/signature.ts';
import type { Address } from '../../src/wire/address.ts';
import { parseAddress } from '../../src/wire/address.ts';
import { fromHex } from '../../src/wire/hex.ts';

export interface CgaVector {
  readonly id: string;
  readonly key_type: string;
  readonly spki_hex: string;
  readonly sec: 0 | 1 | 2;
  readonly prefix: string;
  readonly collision_count: number;
  readonly ext_hex: string;
  readonly modifier: string;
  readonly cga_params_hex: string;
  readonly independent_address: string;
  readonly rfc_verify: boolean;
  readonly hash1: string;
  readonly hash2: string;
}

export interface HbaVector {
  readonly id: string;
  readonly sec: 0 | 1 | 2;
  readonly prefixes: string[];
  readonly public_key: string;
  readonly spki_hex: string;
  readonly modifier: string;
  readonly mpe_hex: string;
  readonly mpe_matches_rfc5535: boolean;
  readonly cga_params_hex: string;
  readonly independent_addresses: string[];
  readonly hash2: string;
}

export interface BrokenVector {
  readonly id: string;
  readonly mutation: string;
  readonly cga_params_hex: string;
  readonly address: string;
  readonly rfc_reason: string;
}

/** `test/vectors/cga-hba.json`: what the tests read of it. Its provenance is in the README beside it. */
export interface Vectors {
  readonly cga: CgaVector[];
  readonly cga_negative: (BrokenVector & { readonly rfc_verify: boolean })[];
  readonly hba: HbaVector[];
  readonly hba_negative: (BrokenVector & { readonly rfc5535_verify: boolean })[];
}

const text = z.string();
const sec = z.literal([0, 1, 2]);
const broken = { id: text, mutation: text, cga_params_hex: text, address: text, rfc_reason: text };
const schema: z.ZodType<Vectors> = z.object({
  cga: z.array(
    z.object({
      id: text,
      key_type: text,
      spki_hex: text,
      sec,
      prefix: text,
      collision_count: z.number(),
      ext_hex: text,
      modifier: text,
      cga_params_hex: text,
      independent_address: text,
      rfc_verify: z.boolean(),
      hash1: text,
      hash2: text,
    }),
  ),
  cga_negative: z.array(z.object({ ...broken, rfc_verify: z.boolean() })),
  hba: z.array(
    z.object({
      id: text,
      sec,
      prefixes: z.array(text),
      public_key: text,
      spki_hex: text,
      modifier: text,
      mpe_hex: text,
      mpe_matches_rfc5535: z.boolean(),
      cga_params_hex: text,
      independent_addresses: z.array(text),
      hash2: text,
    }),
  ),
  hba_negative: z.array(z.object({ ...broken, rfc5535_verify: z.boolean() })),
});

export const vectors: Vectors = schema.parse(
  JSON.parse(readFileSync(new URL('../vectors/cga-hba.json', import.meta.url), 'utf8')),
);

export function hex(text: string): Uint8Array {
  const octets = fromHex(text.replace(/\s/g, ''));
  if (octets === undefined) throw new Error(`not hexadecimal: ${text}`);
  return octets;
}

export function ip(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address;
}

/** The 64 bits of a prefix text. */
export function prefix(text: string): Uint8Array {
  return ip(text.replace(/\/64$/, '')).slice(0, 8);
}

/** RFC 3972 Appendix A. */
export const exampleKey: Uint8Array = hex(
  `305c300d06092a864886f70d0101010500034b003048024100c2c2f137305454f10bd9cea36844b530e9211a4b262b16467cb7dfba1f595c01
   94f275be5a4d386f2c3c2382508773c7867f9b3b9e63a09c7bc48f7a54ebefaf0203010001`,
);

/** An RSA-1024 key pair's public side, its CGA and a signature over two locators, checked with OpenSSL. */
export const signed: SignedLocators = {
  ulid: ip('2001:db8:a:1:4f4:3b7b:ee3a:44df'),
  parameters: hex(
    `0f0e0d0c0b0a0908070605040302010020010db8000a00010030819f300d06092a864886f70d010101050003818d0030818902818100d55b7e
     d953150ce426eb7e8f6aed179128666fdd552c1c611352a15325bc5d70caed9e4fbb6efd096e389946f60b07fbd993230279dc10b493718ca8
     2ab065d7b6a9df65cf00d94bba9cc2bde3c2db4aa24a5340b8d47224856f2b7d22189a50d8b21348cae448ffa967a1aaa11309a64e3b1e3000
     d879d783faa173b07361190203010001`,
  ),
  generation: 0x0000_0102,
  locators: [ip('2001:db8:c:1::10'), ip('2001:db8:d:1::20')],
  signature: hex(
    `cd7c8ebce4e75be4787fa43797557c3eaaed8087608510b07221cc7191b6150f082dcfdf11f7b3dc3d3e6a13f959af67300b6b07580e6f89c0
     e33fa9514e46f5f61aee5fa63f516b18cf3c5a59122f762a6b7f5a2e82a133b72100153fbbeb02d056c01d2be40bfcde7e3fe5b9e7d2906bef
     489b548e68a5d480d1598fed56a0`,
  ),
};
