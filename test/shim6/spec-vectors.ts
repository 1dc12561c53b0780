import { parseAddress } from '../../src/wire/address.ts';
import type { Address } from '../../src/wire/address.ts';
import { fromHex } from '../../src/wire/hex.ts';
import type { KnownMessage } from '../../src/shim6/messages.ts';
import { contextTag } from '../../src/shim6/tag.ts';

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

export const A1: Address = ip('2001:db8:a:1::1');
export const A2: Address = ip('2001:db8:a:2::1');
export const B1: Address = ip('2001:db8:b:1::1');
export const B2: Address = ip('2001:db8:b:2::1');

const CT_A = contextTag(0x123456789abc);
const CT_B = contextTag(0x7edcba987654);
const responderValidator = hex('a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3');
const report = (
  source: Address,
  destination: Address,
  nonce: number,
): {
  source: Address;
  destination: Address;
  nonce: number;
  data: number;
} => ({ source, destination, nonce, data: 0 });
const preference = (
  broken: boolean,
  transient: boolean,
  priority: number,
  weight: number,
): {
  broken: boolean;
  transient: boolean;
  priority: number;
  weight: number;
} => ({ broken, transient, priority, weight });

const hbaSet = [
  '2001:db8:a:1:8e6:78bf:5fe:f46d',
  '2001:db8:a:2:b1:7cac:8498:5619',
  '2001:db8:a:3:4e3:f88e:58c6:af66',
].map(ip);
export const hbaParameters: Uint8Array = hex(
  `000102030405060708090a0b0c0d0e0f 20010db8000a0001 00 304b300d06092a864886f70d0101010500033a003037
   0230101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f0203010001
   0012001c0000000020010db8000a000120010db8000a000220010db8000a0003`,
);
export const cgaParameters: Uint8Array = hex(
  `0f0e0d0c0b0a0908070605040302010020010db8000a00010030819f300d06092a864886f70d010101050003818d0030818902818100d55b7e
   d953150ce426eb7e8f6aed179128666fdd552c1c611352a15325bc5d70caed9e4fbb6efd096e389946f60b07fbd993230279dc10b493718ca8
   2ab065d7b6a9df65cf00d94bba9cc2bde3c2db4aa24a5340b8d47224856f2b7d22189a50d8b21348cae448ffa967a1aaa11309a64e3b1e3000
   d879d783faa173b07361190203010001`,
);
export const cgaSignature: Uint8Array = hex(
  `cd7c8ebce4e75be4787fa43797557c3eaaed8087608510b07221cc7191b6150f082dcfdf11f7b3dc3d3e6a13f959af67300b6b07580e6f89c0
   e33fa9514e46f5f61aee5fa63f516b18cf3c5a59122f762a6b7f5a2e82a133b72100153fbbeb02d056c01d2be40bfcde7e3fe5b9e7d2906bef
   489b548e68a5d480d1598fed56a0`,
);

/** Messages whose octets were made by other encoders than ours, from the tables of RFC 5533 and RFC 5534. */
export const SPEC_VECTORS: readonly {
  readonly name: string;
  readonly message: KnownMessage;
  readonly octets: string;
}[] = [
  {
    name: 'I1',
    message: { type: 'I1', initiatorContextTag: CT_A, initiatorNonce: 0x01020304, options: {} },
    octets: '3b010100 bc8f1234 56789abc 01020304',
  },
  {
    name: 'I1 with ULID Pair and Forked Instance Identifier',
    message: {
      type: 'I1',
      initiatorContextTag: CT_A,
      initiatorNonce: 0x01020304,
      options: { ulidPair: { sender: A1, receiver: B1 }, forkedInstanceId: 5 },
    },
    octets: `3b070100 60b71234 56789abc 01020304 000c0024 00000000 20010db8 000a0001 00000000 00000001 20010db8 000b0001
      00000000 00000001 000e0004 00000005`,
  },
  {
    name: 'R1',
    message: { type: 'R1', initiatorNonce: 0x01020304, responderNonce: 0x2a, options: { responderValidator } },
    octets: '3b040200 1e0b0000 01020304 0000002a 00020014 a0a1a2a3 a4a5a6a7 a8a9aaab acadaeaf b0b1b2b3',
  },
  {
    name: 'I2 with a list of two',
    message: {
      type: 'I2',
      initiatorContextTag: CT_A,
      initiatorNonce: 0x0a0b0c0d,
      responderNonce: 0x2a,
      options: {
        responderValidator,
        locatorList: {
          generation: 0x11223344,
          locators: [
            { address: A1, method: 1 },
            { address: A2, method: 1 },
          ],
        },
      },
    },
    octets: `3b0b0300 64661234 56789abc 0a0b0c0d 0000002a 00000000 00020014 a0a1a2a3 a4a5a6a7 a8a9aaab acadaeaf b0b1b2b3
      0004002c 11223344 02010100 00000000 20010db8 000a0001 00000000 00000001 20010db8 000a0002 00000000 00000001`,
  },
  {
    name: 'R2 with list and Keepalive Timeout',
    message: {
      type: 'R2',
      responderContextTag: CT_B,
      initiatorNonce: 0x0a0b0c0d,
      options: {
        locatorList: {
          generation: 0x55667788,
          locators: [
            { address: B1, method: 1 },
            { address: B2, method: 2 },
          ],
        },
        keepaliveTimeout: 30,
      },
    },
    octets: `3b080400 ce327edc ba987654 0a0b0c0d 0004002c 55667788 02010200 00000000 20010db8 000b0001 00000000 00000001
      20010db8 000b0002 00000000 00000001 00140004 0000001e`,
  },
  {
    name: 'R1bis',
    message: { type: 'R1bis', packetContextTag: CT_B, responderNonce: 0x2a, options: { responderValidator } },
    octets: '3b040500 6f477edc ba987654 0000002a 00020014 a0a1a2a3 a4a5a6a7 a8a9aaab acadaeaf b0b1b2b3',
  },
  {
    name: 'I2bis',
    message: {
      type: 'I2bis',
      initiatorContextTag: CT_A,
      initiatorNonce: 0x01020304,
      responderNonce: 0x2a,
      packetContextTag: CT_B,
      options: { responderValidator, ulidPair: { sender: A1, receiver: B1 } },
    },
    octets: `3b0b0600 0b161234 56789abc 01020304 0000002a 00000000 00007edc ba987654 00020014 a0a1a2a3 a4a5a6a7 a8a9aaab
      acadaeaf b0b1b2b3 000c0024 00000000 20010db8 000a0001 00000000 00000001 20010db8 000b0001 00000000 00000001`,
  },
  {
    name: 'Update Request with flags only',
    message: {
      type: 'UpdateRequest',
      receiverContextTag: CT_B,
      requestNonce: 0xcafebabe,
      options: {
        locatorPreferences: {
          generation: 0x11223344,
          elementLength: 1,
          elements: [preference(true, false, 0, 0), preference(false, false, 0, 0)],
        },
      },
    },
    octets: '3b034000 0a017edc ba987654 cafebabe 00060007 11223344 01010000 00000000',
  },
  {
    name: 'Update Request with priorities and weights',
    message: {
      type: 'UpdateRequest',
      receiverContextTag: CT_B,
      requestNonce: 0xcafebabf,
      options: {
        locatorPreferences: {
          generation: 0x11223344,
          elementLength: 3,
          elements: [preference(true, false, 10, 5), preference(false, true, 0, 255)],
        },
      },
    },
    octets: '3b034000 fcf57edc ba987654 cafebabf 0006000b 11223344 03010a05 0200ff00',
  },
  {
    name: 'Update Acknowledgement',
    message: { type: 'UpdateAcknowledgement', receiverContextTag: CT_A, requestNonce: 0xcafebabe, options: {} },
    octets: '3b014100 fad71234 56789abc cafebabe',
  },
  {
    name: 'Keepalive',
    message: { type: 'Keepalive', receiverContextTag: CT_A, options: {} },
    octets: '3b014200 7f951234 56789abc 00000000',
  },
  {
    name: 'Probe, Exploring',
    message: {
      type: 'Probe',
      receiverContextTag: CT_A,
      state: 'Exploring',
      sent: [report(B1, A1, 0x11111111)],
      received: [],
      pathTest: false,
      options: {},
    },
    octets: `3b064300 ffa21234 56789abc 01400000 20010db8 000b0001 00000000 00000001 20010db8 000a0001 00000000 00000001
      11111111 00000000`,
  },
  {
    name: 'Probe, InboundOk',
    message: {
      type: 'Probe',
      receiverContextTag: CT_B,
      state: 'InboundOk',
      sent: [report(A2, B2, 0x33333333)],
      received: [report(B2, A2, 0x22222222)],
      pathTest: false,
      options: {},
    },
    octets: `3b0b4300 5ee57edc ba987654 11800000 20010db8 000a0002 00000000 00000001 20010db8 000b0002 00000000 00000001
      33333333 00000000 20010db8 000b0002 00000000 00000001 20010db8 000a0002 00000000 00000001 22222222 00000000`,
  },
  {
    name: 'Probe, Operational',
    message: {
      type: 'Probe',
      receiverContextTag: CT_A,
      state: 'Operational',
      sent: [report(B2, A2, 0x44444444)],
      received: [report(A2, B2, 0x33333333)],
      pathTest: false,
      options: {},
    },
    octets: `3b0b4300 c7811234 56789abc 11000000 20010db8 000b0002 00000000 00000001 20010db8 000a0002 00000000 00000001
      44444444 00000000 20010db8 000a0002 00000000 00000001 20010db8 000b0002 00000000 00000001 33333333 00000000`,
  },
  {
    name: 'Error about an unknown critical option',
    message: {
      type: 'Error',
      code: 1,
      pointer: 56,
      packet: hex(`60000000 00188c40 20010db8 000a0001 00000000 00000001 20010db8 000b0001 00000000 00000001
        3b024000 ca167edc ba987654 00000001 46510004 61626364`),
    },
    octets: `3b084402 38d90038 60000000 00188c40 20010db8 000a0001 00000000 00000001 20010db8 000b0001 00000000 00000001
      3b024000 ca167edc ba987654 00000001 46510004 61626364`,
  },
  {
    name: 'I2 of an HBA host',
    message: {
      type: 'I2',
      initiatorContextTag: CT_A,
      initiatorNonce: 0x0a0b0c0d,
      responderNonce: 0x2a,
      options: {
        responderValidator,
        locatorList: { generation: 0x11223344, locators: hbaSet.map((address) => ({ address, method: 1 })) },
        parameters: hbaParameters,
      },
    },
    octets: `3b1f0300 b8be1234 56789abc 0a0b0c0d 0000002a 00000000 00020014 a0a1a2a3 a4a5a6a7 a8a9aaab acadaeaf b0b1b2b3
      0004003c 11223344 03010101 00000000 20010db8 000a0001 08e678bf 05fef46d 20010db8 000a0002 00b17cac 84985619
      20010db8 000a0003 04e3f88e 58c6af66 00080086 00010203 04050607 08090a0b 0c0d0e0f 20010db8 000a0001 00304b30
      0d06092a 864886f7 0d010101 0500033a 00303702 30101112 13141516 1718191a 1b1c1d1e 1f202122 23242526 2728292a
      2b2c2d2e 2f303132 33343536 3738393a 3b3c3d3e 3f020301 00010012 001c0000 00002001 0db8000a 00012001 0db8000a
      00022001 0db8000a 00030000 00000000`,
  },
  {
    name: 'Update Request of a CGA host',
    message: {
      type: 'UpdateRequest',
      receiverContextTag: CT_B,
      requestNonce: 0x0badcafe,
      options: {
        locatorList: {
          generation: 0x00000102,
          locators: ['2001:db8:c:1::10', '2001:db8:d:1::20'].map((text) => ({ address: ip(text), method: 2 })),
        },
        parameters: cgaParameters,
        signature: cgaSignature,
      },
    },
    octets: `3b304000 26b87edc ba987654 0badcafe 0004002c 00000102 02020200 00000000 20010db8 000c0001 00000000 00000010
      20010db8 000d0001 00000000 00000020 000800bb 0f0e0d0c 0b0a0908 07060504 03020100 20010db8 000a0001 0030819f
      300d0609 2a864886 f70d0101 01050003 818d0030 81890281 8100d55b 7ed95315 0ce426eb 7e8f6aed 17912866 6fdd552c
      1c611352 a15325bc 5d70caed 9e4fbb6e fd096e38 9946f60b 07fbd993 230279dc 10b49371 8ca82ab0 65d7b6a9 df65cf00
      d94bba9c c2bde3c2 db4aa24a 5340b8d4 7224856f 2b7d2218 9a50d8b2 1348cae4 48ffa967 a1aaa113 09a64e3b 1e3000d8
      79d783fa a173b073 61190203 01000100 000a0080 cd7c8ebc e4e75be4 787fa437 97557c3e aaed8087 608510b0 7221cc71
      91b6150f 082dcfdf 11f7b3dc 3d3e6a13 f959af67 300b6b07 580e6f89 c0e33fa9 514e46f5 f61aee5f a63f516b 18cf3c5a
      59122f76 2a6b7f5a 2e82a133 b7210015 3fbbeb02 d056c01d 2be40bfc de7e3fe5 b9e7d290 6bef489b 548e68a5 d480d159
      8fed56a0 00000000`,
  },
];
