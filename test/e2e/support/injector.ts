/**
 * Sends whole IPv6 packets as they are, with npm raw-socket: protocol 255 (IPPROTO_RAW, raw(7)) takes the IPv6 header from us, so the
 * source is whatever the packet says. A second socket, of protocol 140, hears the answers that come to this host.
 * Commands: `{packets: [HEX, …]}`, answered by `sent`; `{listen: true}`: report each Shim6 message that comes from now on as `heard`.
 */
import raw from 'raw-socket';
import { z } from 'zod';
import { fieldOf, onCommand, say } from '../../../src/cli/demo/lines.ts';
import { formatAddress } from '../../../src/wire/address.ts';
import { DESTINATION_ADDRESS_AT, IPV6_HEADER_LENGTH, SHIM6 } from '../../../src/wire/ipv6.ts';

const IPPROTO_RAW = 255;
const Packets = z.object({ packets: z.array(z.string()) });

const sender = raw.createSocket({ addressFamily: raw.AddressFamily.IPv6, protocol: IPPROTO_RAW });
const receiver = raw.createSocket({ addressFamily: raw.AddressFamily.IPv6, protocol: SHIM6, bufferSize: 4_096 });

sender.on('error', (error: Error) => {
  say('failed', { why: error.message });
});
receiver.on('error', (error: Error) => {
  say('failed', { why: error.message });
});

function hear(octets: Buffer, source: string): void {
  say('heard', { source, octets: octets.toString('hex') });
}

function send(packet: Buffer): Promise<boolean> {
  const destination = formatAddress(packet.subarray(DESTINATION_ADDRESS_AT, IPV6_HEADER_LENGTH));
  return new Promise((resolve) => {
    sender.send(packet, 0, packet.length, destination, (error) => {
      resolve(error === null);
    });
  });
}

onCommand((command) => {
  if (fieldOf(command, 'listen') !== undefined) {
    receiver.off('message', hear); // this also keeps the socket: raw-socket closes what nobody refers to any more
    if (fieldOf(command, 'listen') === true) receiver.on('message', hear);
    say('listening');
    return;
  }
  const { packets } = Packets.parse(command);
  void Promise.all(packets.map((hex) => send(Buffer.from(hex, 'hex')))).then((results) => {
    say('sent', { sent: results.filter(Boolean).length, refused: results.filter((ok) => !ok).length });
  });
});
say('ready');
