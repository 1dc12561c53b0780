import { mkdirSync, writeFileSync } from 'node:fs';
import { locidProgram } from '../daemon/program.ts';
import { configJsonSchema } from '../daemon/schema.ts';
import { lociPage, locidPage, locidTomlPage } from './man.ts';
import { lociProgram } from './program.ts';
import { processTerminal } from './terminal.ts';

/** `dist/man`, beside the compiled program. */
const FOLDER = new URL('../man/', import.meta.url);

mkdirSync(FOLDER, { recursive: true });
for (const { name, section, text } of [
  lociPage(lociProgram(processTerminal())),
  locidPage(locidProgram()),
  locidTomlPage(configJsonSchema()),
]) {
  writeFileSync(new URL(`${name}.${String(section)}`, FOLDER), text);
}
