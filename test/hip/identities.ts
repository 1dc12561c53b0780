import { createPrivateKey } from 'node:crypto';
import type { PublicKey } from '../../src/crypto/public-key.ts';
import { hex } from '../cga/vectors.ts';

const compact = (text: string): Uint8Array => hex(text.replace(/\s/g, ''));

/** A Host Identity with the HIT that belongs to it. */
export interface IdentityVector {
  readonly name: string;
  readonly algorithm: number;
  readonly hostIdentity: Uint8Array;
  readonly hit: string;
}

/** The key of the certificate in RFC 8002 Appendix A. */
export const RSA_HI: Uint8Array = compact(`
  03010001c9b08594af1f3a7739c9d581a5eed2b56b72915d222c1e59e50629bda219f6accaebf788d85455410158d887
  64d8c8cf6ec23881221aaee9a6802203eef31b7e6811e3f47b983328bf40ec4f19e8108a8b0760f79fe482f8a758043d
  4207c834ca996d11eb73c1d9969355e5c7ed804f8af21a6f83c815a48fb86afef34f491a5c1f89bb30e698bccea3a237
  85b1791c26e6440cb93ed8378146f4022546a2eada255c46a2a3c55880531fc5e511a0dad8f2add698d4ce5535cc0bd3
  5b0948ef576580cb6579fdcb4d5bb38d1aff2a583e9665103e0481782bd5ca8978ea285cbc024a54cdaaa9998dd639e9
  5ea9731a5d9355399b721ac2a01fe34cb0419897`);

/** The key of RFC 6979 A.2.5. */
const P256_POINT = `60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6
  7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299`;
/** The key of RFC 6979 A.2.6. */
const P384_POINT = `ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13
  8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720`;
/** The key of RFC 8032 §7.1 TEST 1. */
const ED25519_KEY = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';
const SECP160R1_POINT = '51b4496fecc406ed0e75a24a3c03206251419dc0c28dcb4b73a514b468d793894f381ccc1756aa6c';

/** HITs computed with Python's hashlib by the rules of RFC 7343 §2 and RFC 7401 §3.2; no published ones exist. */
export const IDENTITIES: readonly IdentityVector[] = [
  { name: 'RSA', algorithm: 5, hostIdentity: RSA_HI, hit: '2001:21:d4bf:8284:dae7:d346:68c9:9a15' },
  {
    name: 'P-256',
    algorithm: 7,
    hostIdentity: compact(`000104${P256_POINT}`),
    hit: '2001:22:e171:ec93:9dfb:dc08:a08c:2192',
  },
  {
    name: 'P-256 without 04',
    algorithm: 7,
    hostIdentity: compact(`0001${P256_POINT}`),
    hit: '2001:22:2a0a:7b7f:f99d:30bf:6f0d:507',
  },
  {
    name: 'P-384',
    algorithm: 7,
    hostIdentity: compact(`000204${P384_POINT}`),
    hit: '2001:22:d8cc:1f6b:b7eb:467:f69b:f2ef',
  },
  {
    name: 'P-384 without 04',
    algorithm: 7,
    hostIdentity: compact(`0002${P384_POINT}`),
    hit: '2001:22:e536:3e46:4d1:79f5:53e2:2632',
  },
  {
    name: 'SECP160R1',
    algorithm: 9,
    hostIdentity: compact(`000104${SECP160R1_POINT}`),
    hit: '2001:23:2400:f75a:7755:6c29:6348:7e1',
  },
  {
    name: 'SECP160R1 without 04',
    algorithm: 9,
    hostIdentity: compact(`0001${SECP160R1_POINT}`),
    hit: '2001:23:4139:4964:2d3c:d71:4daf:e89f',
  },
  {
    name: 'Ed25519',
    algorithm: 13,
    hostIdentity: compact(`00010000${ED25519_KEY}`),
    hit: '2001:25:94f8:6e7a:36ad:d203:ed89:625f',
  },
];

/** DETs of RFC 9886 Appendix A. */
export const DETS: readonly {
  readonly key: PublicKey;
  readonly raa: number;
  readonly hda: number;
  readonly det: string;
}[] = [
  det('9990d5b04b72a18066d4092b52c7d4994fb7c16bd7e8c1f440ffa8d04ff1e13f', 0, '2001:3f:fe00:5:5e60:a157:1e91:a0b7'),
  det('ce681e36e1141aeb560d6e76bc796b7b7cb454e463ccb1f12de30a380101803f', 10, '2001:3f:fe00:a05:6615:ee45:d427:9a0'),
  det('8233fdaeb5068bc14859d113a0edfcf8dc07814e3dd2765e6b5b82e04d070597', 10, '2001:3f:fe00:a05:260e:d437:6b25:6e28'),
  det('c92e2f9d97e8960f9b5f1654f8b09039f9dadc5bcf061eac4f0cea79e8e877fa', 10, '2001:3f:fe00:a05:1308:2469:9a4b:c6b2'),
];

function det(key: string, hda: number, text: string): (typeof DETS)[number] {
  return { key: { type: 'eddsa', key: hex(key) }, raa: 16376, hda, det: text };
}

/** A private key from PKCS#8 DER without its header: Ed25519 seeds. */
export function ed25519Key(seed: string): ReturnType<typeof createPrivateKey> {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), hex(seed)]);
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}
