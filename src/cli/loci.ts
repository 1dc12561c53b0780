#!/usr/bin/env node
import { runLoci } from './run-loci.ts';
import { processTerminal } from './terminal.ts';

process.exitCode = await runLoci(process.argv.slice(2), processTerminal());
