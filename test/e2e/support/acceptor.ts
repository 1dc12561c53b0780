/** A program like any other: takes TCP connections on PORT and closes them when the other end does. */
import { createServer } from 'node:net';
import { argument, say } from '../../../src/cli/demo/lines.ts';

const server = createServer((socket) => {
  socket.on('error', () => undefined); // a connection whose path died is of no interest here
  socket.resume();
});
server.listen(Number(argument(0, 'PORT')), '::', () => {
  say('ready');
});
