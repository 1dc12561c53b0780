/** A program like any other: takes datagrams on PORT; asked for it, says how many octets each had. */
import { createSocket } from 'node:dgram';
import { argument, onCommand, say } from '../../../src/cli/demo/lines.ts';

const socket = createSocket({ type: 'udp6', recvBufferSize: 1_000_000 });
let lengths: number[] = [];

socket.on('message', (datagram) => {
  lengths.push(datagram.length);
});
socket.bind(Number(argument(0, 'PORT')), '::', () => {
  say('ready');
});
onCommand(() => {
  say('received', { lengths });
  lengths = [];
});
