/** A program like any other: answers each datagram on PORT, until it is told `{answer: false}`. */
import { createSocket } from 'node:dgram';
import { argument, fieldOf, onCommand, say } from '../../../src/cli/demo/lines.ts';

const socket = createSocket({ type: 'udp6', recvBufferSize: 1_000_000 });
let answering = true;
let received = 0;

socket.on('message', (datagram, from) => {
  received++;
  if (received === 1) say('flowing');
  if (answering) socket.send(datagram, from.port, from.address);
});
socket.bind(Number(argument(0, 'PORT')), '::', () => {
  say('ready');
});
onCommand((command) => {
  answering = fieldOf(command, 'answer') === true;
  say('done', { received });
});
